"""A backend for live tests: a real TLS server that wants the front-proxy certificate and tells what it was sent.

In: requests. Out: which backend it is and the path; `?watch=1` streams one line an `emit`. Law: what it saw of clients
is kept, in order, for the test to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from threaded import Threaded


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    client: str = ""

    def lines(self, name: str) -> list[str]:
        """The values of every header line of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Backend(Threaded):
    """An HTTPS server on 127.0.0.1 in a thread of its own; `with Backend(...) as backend:` starts and ends it."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path, *, name: str = "backend") -> None:
        super().__init__()
        self.port = 0
        self.seen: list[Seen] = []
        self._name = name
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(certificate, key)
        self._watchers: set[asyncio.Queue[bytes]] = set()

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._watchers)

    def emit(self, line: str) -> None:
        """Sends a line to every open watch."""

        def put() -> None:
            for queue in self._watchers:
                queue.put_nowait(f"{line}\n".encode())

        self._loop.call_soon_threadsafe(put)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        server, loop = runner.server, self._loop
        assert server is not None
        handshakes: set[asyncio.Task[None]] = set()

        def accept() -> None:
            task = loop.create_task(self._handshake(listener.accept()[0], server))
            handshakes.add(task)
            task.add_done_callback(handshakes.discard)

        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            self.port = listener.getsockname()[1]
            loop.add_reader(listener, accept)
            self._ready.set()
            await self._end.wait()
            loop.remove_reader(listener)
        # asyncio's own servers know nothing of connections whose handshake is still going on. Here those are cut, too,
        # and not before they have begun: until then there is nothing that would close the socket.
        await _rounds()
        for task in handshakes:
            task.cancel()
        await asyncio.gather(*handshakes, return_exceptions=True)
        # Closing would say goodbye in TLS and wait for the other side; cut, the loop needs but a few rounds to notice.
        for connection in server.connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        await runner.cleanup()
        await _rounds()

    async def _handshake(self, accepted: socket.socket, server: web.Server) -> None:
        # A client that gives up, or has no certificate, is its own affair.
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(server, accepted, ssl=self._context)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        subject = dict(pair[0] for pair in request.get_extra_info("peercert")["subject"])
        headers = tuple((key.decode(), value.decode(errors="replace")) for key, value in request.raw_headers)
        # Isthmus asks for discovery on its own account, whenever it likes.
        if request.headers.get("X-Remote-User") != "system:kube-aggregator":
            self.seen.append(Seen(request.method, request.raw_path, headers, subject["commonName"]))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _echo(request)
        if "watch" in request.query:
            return await self._watch(request)
        return web.json_response({"backend": self._name, "path": request.raw_path})

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


async def _rounds() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def _echo(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await response.prepare(request)
    async for message in response:
        await response.send_str(f"echo {message.data}")
    return response
