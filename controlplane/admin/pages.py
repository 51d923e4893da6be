"""The HTTP pages of a control plane: /livez, /readyz, /metrics and /proxies.

In: metrics, whether the first topology is there, status of proxies. Out: what an orchestrator, Prometheus and scripts
ask for. Law: these pages are the control plane's own; the front door's /readyz is another matter.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from controlplane.admin import proxies
from controlplane.model.proxy import Proxy


def application(
    registry: CollectorRegistry,
    ready: Callable[[], bool],
    connected: Callable[[], tuple[Proxy, ...]],
    epoch: Callable[[], float],
) -> web.Application:
    """The pages; `ready` says whether Envoys are served, `connected` and `epoch` are as for the StatusService."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok")
        return web.Response(status=503, text="not everything that was there at the start has been read yet")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def listed(_request: web.Request) -> web.Response:
        text = proxies.as_json(proxies.response(connected(), epoch()))
        return web.Response(text=text, content_type="application/json")

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/proxies", listed)
    return app
