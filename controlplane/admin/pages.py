"""The HTTP pages of a control plane: /livez, /readyz, /metrics and /proxies.

In: metrics, checks of health, status of proxies. Out: what an orchestrator, Prometheus and scripts ask for. Law: these
pages are the control plane's own; the front door's /readyz is another matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from controlplane.admin import proxies
from controlplane.admin.health import Answer, Health
from controlplane.model.proxy import Proxy

_NO_SUCH_CHECK: Final = Answer(404, "404 page not found\n")


def application(
    registry: CollectorRegistry,
    live: Health,
    ready: Health,
    connected: Callable[[], tuple[Proxy, ...]],
    epoch: Callable[[], float],
    *,
    counted: Callable[[], Awaitable[None]] | None = None,
) -> web.Application:
    """The pages; `live` and `ready` are behind /livez and /readyz, which take `?verbose` and `?exclude=CHECK`.

    `connected` and `epoch` are as for the StatusService; `counted` brings the metrics up to date before they are shown.
    """

    async def metrics(_request: web.Request) -> web.Response:
        if counted is not None:
            await counted()
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def listed(_request: web.Request) -> web.Response:
        text = proxies.as_json(proxies.response(connected(), epoch()))
        return web.Response(text=text, content_type="application/json")

    app = web.Application()
    for path, health in (("/livez", live), ("/readyz", ready)):
        _serve(app, path, health)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/proxies", listed)
    return app


def _serve(app: web.Application, path: str, health: Health) -> None:
    async def whole(request: web.Request) -> web.Response:
        return _response(health.all(verbose="verbose" in request.query, exclude=request.query.getall("exclude", ())))

    async def single(request: web.Request) -> web.Response:
        return _response(health.one(request.match_info["name"]) or _NO_SUCH_CHECK)

    app.router.add_get(path, whole)
    app.router.add_get(f"{path}/{{name:.+}}", single)


def _response(answer: Answer) -> web.Response:
    headers = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=answer.status, text=answer.text, headers=headers)
