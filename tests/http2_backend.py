"""A backend for live tests that speaks HTTP/2 alone, answers when it is told to, and can stop reading.

In: requests over TLS with the front-proxy certificate. Out: 200 and {} to each, at once or after `release`. Law: a
client that goes away, or resets what it asked for, never disturbs it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.exceptions import ProtocolError
from threaded import Threaded

HELD = "/held"
"""Requests for a path that ends so are answered by `release`."""


class Http2Backend(Threaded):
    """An HTTP/2 server on 127.0.0.1 in a thread of its own; `with Http2Backend(...) as backend:` starts and ends it."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path) -> None:
        super().__init__()
        self.port = 0
        self.connections: set[_Connection] = set()
        self.held: list[tuple[_Connection, int]] = []
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client_ca))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["h2"])

    def stop_reading(self) -> None:
        """Reads nothing more on the connections that there are, from when this returns."""
        self._done(lambda: [connection.transport.pause_reading() for connection in self.connections])

    def release(self) -> None:
        """Reads on, and answers what is held."""

        def answer() -> None:
            for connection in self.connections:
                connection.transport.resume_reading()
            for connection, stream in self.held:
                connection.answer(stream)
            self.held.clear()

        self._done(answer)

    def _done(self, what: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            # Connections inherit it: what a backend does not read is soon with Envoy, and not with the kernel.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.port = listener.getsockname()[1]
            server = await self._loop.create_server(lambda: _Connection(self), sock=listener, ssl=self._context)
            self._ready.set()
            await self._end.wait()
            server.close()
            for connection in tuple(self.connections):
                connection.transport.abort()
            await server.wait_closed()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, backend: Http2Backend) -> None:
        self._backend = backend
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._backend.connections.add(self)
        self._http2.initiate_connection()
        self._flush()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._backend.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            events = self._http2.receive_data(data)
        except ProtocolError:
            # Isthmus looks for discovery over HTTP/1.1.
            self.transport.abort()
            return
        for event in events:
            if isinstance(event, RequestReceived):
                assert event.headers is not None
                assert event.stream_id is not None
                if dict(event.headers)[":path"].endswith(HELD):
                    self._backend.held.append((self, event.stream_id))
                else:
                    self.answer(event.stream_id)
        self._flush()

    def answer(self, stream: int) -> None:
        try:
            self._http2.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
            self._http2.send_data(stream, b"{}", end_stream=True)
        except ProtocolError:
            # It was reset in the meantime, or the whole connection is over.
            return
        self._flush()

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self._http2.data_to_send())
