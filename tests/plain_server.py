"""An API server without TLS for tests, as a sidecar stands before: it believes whatever its request headers say.

In: requests for one group. Out: discovery, one thing in a list, and `?watch=1`, which streams one line an `emit`; an
upgrade becomes a WebSocket that repeats what it is told. Law: what it saw is kept, in order, for the test to read.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web
from backend import Seen
from threaded import Threaded

GROUP = "plain.example.com"
VERSION = "v1"
THINGS = f"/apis/{GROUP}/{VERSION}/things"
THING = {"kind": "Thing", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"name": "only"}}
_GROUP_VERSION = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
_API_GROUP = {"name": GROUP, "versions": [_GROUP_VERSION], "preferredVersion": _GROUP_VERSION}
_RESOURCE = {"name": "things", "singularName": "thing", "namespaced": False, "kind": "Thing", "verbs": ["get", "list"]}
_ANSWERS = {
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_API_GROUP]},
    f"/apis/{GROUP}": {"kind": "APIGroup", "apiVersion": "v1", **_API_GROUP},
    f"/apis/{GROUP}/{VERSION}": {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": [_RESOURCE],
    },
    THINGS: {"kind": "ThingList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [THING]},
    f"{THINGS}/only": THING,
    "/healthz": {},
    "/metrics": {},
}


class PlainServer(Threaded):
    """`with PlainServer() as server:` serves on a port of 127.0.0.1; with a path, on that Unix socket."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.port = 0
        self.seen: list[Seen] = []
        self._path = path
        self._watchers: set[asyncio.Queue[bytes]] = set()

    @property
    def address(self) -> str:
        """Where it listens, as `--upstream` takes it."""
        return f"unix:{self._path}" if self._path else f"127.0.0.1:{self.port}"

    def of(self, user: str) -> list[Seen]:
        """The requests that came as that user."""
        return [seen for seen in list(self.seen) if seen.lines("X-Remote-User") == [user]]

    def emit(self, line: str) -> None:
        """Sends a line to every open watch."""
        self._loop.call_soon_threadsafe(lambda: [queue.put_nowait(f"{line}\n".encode()) for queue in self._watchers])

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._watchers)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.UnixSite(runner, str(self._path)) if self._path else web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = 0 if self._path else runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = tuple((key.decode(), value.decode(errors="replace")) for key, value in request.raw_headers)
        self.seen.append(Seen(request.method, request.raw_path, headers))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _echo(request)
        if "watch" in request.query:
            return await self._watch(request)
        answer = _ANSWERS.get(request.path)
        return web.Response(status=404) if answer is None else web.json_response(answer)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                await response.write(await queue.get())
        except ConnectionError:
            return response
        finally:
            self._watchers.discard(queue)


async def _echo(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(f"echo {message.data}")
    return response
