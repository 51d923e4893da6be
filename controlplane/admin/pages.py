"""The HTTP pages of a control plane: /livez, /readyz and /metrics.

In: metrics, and whether the first topology is there. Out: what an orchestrator and Prometheus ask for. Law: these pages
are the control plane's own; the front door's /readyz is another matter.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def application(registry: CollectorRegistry, ready: Callable[[], bool]) -> web.Application:
    """The pages; `ready` says whether Envoys are served."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok")
        return web.Response(status=503, text="not everything that was there at the start has been read yet")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app
