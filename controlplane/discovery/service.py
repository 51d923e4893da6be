"""Discovery over HTTP.

In: requests that the front door has authenticated and authorized. Out: pages made of the latest topology and documents.
Law: a request is answered from memory; it waits only for the core and for servers that were never asked, and for these
a moment. Every error has a Status for its body, and no error shows its insides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from aiohttp import web

from controlplane.aio import Watchable
from controlplane.discovery.answers import Answers, Page, respond
from controlplane.discovery.documents import Documents
from controlplane.discovery.negotiate import accepts_gzip
from controlplane.discovery.status import Refusal
from controlplane.model.topology import Topology

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# kube-apiserver compresses aggregated discovery from this size on; below, it costs more than it saves.
_GZIP_FROM: Final = 128 * 1024

# A little longer than servers are given before they are listed as stale, so that one that has just been registered is
# in the very next answer, and no answer ever waits for one that hangs.
_PATIENCE: Final = 1.5

# The core is asked anew for each request: kube-apiserver, too, answers what it serves at that moment. One that takes
# longer than this is answered for from memory.
_RECHECK: Final = 1.0

_NOT_READY: Final = Refusal(
    503,
    "ServiceUnavailable",
    "the request has been made before all known HTTP paths have been installed, please try again",
    retry_after=5,
)
_DEFECT: Final = Refusal(500, "InternalError", "an internal error occurred; the control plane's log says more")


def application(
    topology: Watchable[Topology], documents: Watchable[Documents], recheck_core: Callable[[float], Awaitable[None]]
) -> web.Application:
    """The HTTP face; `recheck_core` waits, for so many seconds at most, until the documents hold the core's present."""
    app = web.Application(middlewares=[_refuse_defects])
    app.router.add_route("*", "/{path:.*}", _Face(topology, documents, recheck_core).handle)
    return app


@web.middleware
async def _refuse_defects(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception:
        # The last place before the client: whatever went wrong is a 500, and a line in the log.
        log, audit_id = structlog.get_logger(__name__), request.headers.get("Audit-ID", "")
        log.exception("a discovery request met a defect", audit_id=audit_id, path=request.raw_path)
        return _refused(_DEFECT)


class _Face:
    def __init__(
        self,
        topology: Watchable[Topology],
        documents: Watchable[Documents],
        recheck_core: Callable[[float], Awaitable[None]],
    ) -> None:
        self._topology = topology
        self._documents = documents
        self._recheck_core = recheck_core
        self._latest: Answers | None = None
        self._joining = asyncio.Lock()

    async def handle(self, request: web.Request) -> web.Response:
        # The path as it was sent: it is the string that the front door authorized and routed by.
        path = request.raw_path.partition("?")[0]
        ready = self._topology.value.generation > 0
        if path in {"/healthz", "/livez"} or (path == "/readyz" and ready):
            return web.Response(text="ok", headers={"Cache-Control": "no-cache, private"})
        if not ready:
            return _refused(_NOT_READY)
        answers = await self._settled()
        accept = ",".join(request.headers.getall("Accept", ()))
        # Joining ten thousand APIs takes a tenth of a second, which the event loop's other users (every authorization
        # decision among them) must not wait for; the lock has it done once, not once for each who asks.
        async with self._joining:
            return await asyncio.to_thread(_response, request, answers, path, accept)

    async def _settled(self) -> Answers:
        """The latest answers, as soon as every server in them was asked once, or patience is at its end."""
        await self._recheck_core(_RECHECK)
        answers = self._current()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while answers.untried:
                    await self._documents.changed(answers.documents)
                    answers = self._current()
        return self._current()

    def _current(self) -> Answers:
        topology, documents = self._topology.value, self._documents.value
        with_core = topology.core is not None
        if self._latest is None or not self._latest.made_of(topology.apis, documents, with_core=with_core):
            self._latest = Answers(topology.apis, documents, with_core=with_core)
        return self._latest


def _response(request: web.Request, answers: Answers, path: str, accept: str) -> web.Response:
    answer = respond(answers, path, accept)
    return _refused(answer) if isinstance(answer, Refusal) else _sent(request, answer)


def _sent(request: web.Request, page: Page) -> web.Response:
    headers = {"Content-Type": page.content_type, "Vary": "Accept"}
    headers["Cache-Control"] = "public" if page.tagged else "no-cache, private"
    if page.tagged:
        headers["ETag"] = page.etag
        # Exactly this tag and nothing like it, as kube-apiserver compares them.
        if request.headers.get("If-None-Match") == page.etag:
            del headers["Content-Type"]
            return web.Response(status=304, headers=headers)
    body = page.body
    if len(body) > _GZIP_FROM:
        headers["Vary"] = "Accept, Accept-Encoding"
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = page.compressed
    return web.Response(body=body, headers=headers)


def _refused(refusal: Refusal) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    if refusal.retry_after:
        headers["Retry-After"] = str(refusal.retry_after)
    return web.Response(status=refusal.code, body=refusal.body, headers=headers)
