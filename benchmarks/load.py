"""A load of equal HTTP/2 requests that costs its sender little: every frame is written by hand, once.

As from client-go, a connection's first request has the other side remember the headers, and the others refer to them.

In: an address, a TLS context, the headers of one GET. Out: how many answers came in how many seconds. Law: whatever is
not an answer of 200 ends the load with an error; nothing is guessed from silence.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_WINDOW = 2**31 - 1
_STATUS_200 = 0x88  # HPACK: entry 8 of the static table
_PATIENCE = 10.0
_GET_HTTPS = b"\x82\x87"


@dataclass(frozen=True)
class Rate:
    """How many requests were answered in how many seconds."""

    requests: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def latency(self) -> float:
        """Microseconds from a request to its answer, when there was never more than one."""
        return self.seconds / self.requests * 1e6


def load(
    port: int,
    context: ssl.SSLContext,
    path: str,
    headers: Mapping[str, str],
    seconds: float,
    *,
    connections: int = 4,
    in_flight: int = 10,
) -> Rate:
    """Sends GETs of `path` to 127.0.0.1 over some connections, with so many in flight on each, for that long."""
    context.set_alpn_protocols(["h2"])
    opened = [_Connection(port, context, path, headers, in_flight) for _ in range(connections)]
    start, answered = time.perf_counter(), 0
    with selectors.DefaultSelector() as selector:
        for connection in opened:
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.ask()
        # Whoever is answered asks again, and waits for no other connection.
        while time.perf_counter() - start < seconds:
            ready = selector.select(_PATIENCE)
            assert ready, f"nobody was answered for {_PATIENCE} s"
            for key, _ in ready:
                answered += key.data.receive()
    for connection in opened:
        answered += connection.await_all()
        connection.close()
    return Rate(answered, time.perf_counter() - start)


class _Connection:
    def __init__(
        self, port: int, context: ssl.SSLContext, path: str, headers: Mapping[str, str], in_flight: int
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        # No push, and windows so wide that none must ever be opened again.
        settings = (2).to_bytes(2) + (0).to_bytes(4) + (4).to_bytes(2) + _WINDOW.to_bytes(4)
        window = _frame(8, 0, 0, (_WINDOW - 65535).to_bytes(4))
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + window)
        self._first, self._next = _blocks(path, headers)
        self._in_flight = in_flight
        self._stream, self._open, self._rest = 1, 0, b""

    def ask(self) -> None:
        """Sends as many requests as may be in flight."""
        streams = range(self._stream, self._stream + 2 * self._in_flight, 2)
        blocks = ((number, self._first if number == 1 else self._next) for number in streams)
        self._socket.sendall(b"".join(_frame(_HEADERS, _END_STREAM | _END_HEADERS, *block) for block in blocks))
        self._stream, self._open = streams.stop, self._in_flight

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def receive(self) -> int:
        """Takes what has come; when every answer is there, says how many there were and asks again."""
        answered = self._take_some()
        if answered:
            self.ask()
        return answered

    def await_all(self) -> int:
        """Waits for every answer, and says how many there were."""
        while not (answered := self._take_some()):
            pass
        return answered

    def _take_some(self) -> int:
        # What TLS has taken from the socket and holds would never make it ready again.
        while True:
            received = self._socket.recv(65536)
            assert received, "the connection was closed"
            self._take(self._rest + received)
            if not self._open:
                return self._in_flight
            if not self._socket.pending():
                return 0

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _take(self, data: bytes) -> None:
        at, end = 0, len(data)
        while end - at >= 9:
            length, kind, flags = int.from_bytes(data[at : at + 3]), data[at + 3], data[at + 4]
            if end - at < 9 + length:
                break
            payload = at + 9
            at = payload + length
            if kind == _HEADERS:
                # A change of the table's size may come before the status.
                assert _STATUS_200 in data[payload : payload + 4], "an answer was not 200"
            elif kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            assert kind not in {_RESET, _GOAWAY}, "a request was refused"
            if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
                self._open -= 1
        self._rest = data[at:]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _blocks(path: str, headers: Mapping[str, str]) -> tuple[bytes, bytes]:
    """The HPACK blocks of a GET (RFC 7541): the first on a connection, and each after it."""
    lines = {":path": path, ":authority": "localhost", **headers}
    static = {":path": b"\x44", ":authority": b"\x41"}
    first = b"".join(static.get(name, b"\x40" + _string(name)) + _string(value) for name, value in lines.items())
    # The newest entry is the first behind the static table's 61.
    following = bytes(0x80 + 61 + len(lines) - number for number in range(len(lines)))
    return _GET_HTTPS + first, _GET_HTTPS + following


def _string(text: str) -> bytes:
    data, length = text.encode(), len(text)
    if length < 127:
        return bytes((length,)) + data
    prefix, rest = bytearray((127,)), length - 127
    while rest >= 128:
        prefix.append(rest % 128 + 128)
        rest //= 128
    return bytes((*prefix, rest)) + data
