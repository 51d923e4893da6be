"""A client of HTTP/2 that says whatever a test wants, frame by frame.

In: frames. Out: a server's machine that has been told them, and what it sends. Law: nothing is checked and nothing is
sent by itself, so that a test can do what no proper client does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hpack import Decoder, Encoder

from controlplane.faces.unary import frames
from controlplane.faces.unary.connection import Connection
from controlplane.faces.unary.stream import Call

METHOD = "/test/Once"
HEADERS = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", METHOD),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)
END = frames.END_STREAM
WHOLE = frames.END_HEADERS


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame that the server has sent; `code` is what RST_STREAM and GOAWAY say."""

    kind: int
    stream: int
    flags: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code."""
        return int.from_bytes(self.payload[4:8] if self.kind == frames.GOAWAY else self.payload[:4])


def split(data: bytes) -> list[Sent]:
    """The frames in what a server has sent."""
    found = []
    while data:
        end = frames.HEADER_BYTES + int.from_bytes(data[:3])
        found.append(Sent(data[3], int.from_bytes(data[5:9]), data[4], data[frames.HEADER_BYTES : end]))
        data = data[end:]
    return found


def message(content: bytes) -> bytes:
    """A message as gRPC sends it."""
    return b"\0" + len(content).to_bytes(4) + content


def head(*more: tuple[str, str], **pseudo: str) -> list[tuple[str, str]]:
    """The headers of a proper call; keywords replace pseudo-headers."""
    return [*((name, pseudo.get(name.removeprefix(":"), value)) for name, value in HEADERS), *more]


class Client:
    """A connection that was begun as it should be; `now` is what the server's clock says."""

    def __init__(self, methods: Iterable[str] = (METHOD,), *, begun: bool = True) -> None:
        self.server = Connection(frozenset(methods))
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.now = 0.0
        self.calls: list[Call] = []
        self.cancelled: list[int] = []
        if begun:
            self.say(frames.PREFACE, frames.settings({}))
            self.heard()

    def say(self, *data: bytes) -> None:
        """Sends bytes in one piece."""
        calls, cancelled = self.server.receive(b"".join(data), self.now)
        self.calls += calls
        self.cancelled += cancelled

    def heard(self) -> list[Sent]:
        """The frames that the server has sent since the last time."""
        return split(self.server.outgoing())

    def headers(self, stream: int, headers: Iterable[tuple[str, str]] = HEADERS, flags: int = WHOLE) -> bytes:
        """A HEADERS frame."""
        return frames.frame(frames.HEADERS, flags, stream, self.encoder.encode(headers))

    def data(self, stream: int, content: bytes, flags: int = END) -> bytes:
        """A DATA frame."""
        return frames.frame(frames.DATA, flags, stream, content)

    def call(self, stream: int, content: bytes = b"question", headers: Iterable[tuple[str, str]] = HEADERS) -> bytes:
        """A proper call in two frames."""
        return self.headers(stream, headers) + self.data(stream, message(content))

    def decoded(self, sent: Sent) -> dict[str, str]:
        """What a HEADERS frame of the server says."""
        return {str(name): str(value) for name, value in self.decoder.decode(sent.payload)}

    def answers(self) -> dict[int, tuple[dict[str, str], bytes]]:
        """Of each stream that the server has sent for since the last time, all its headers and its content."""
        found: dict[int, tuple[dict[str, str], bytes]] = {}
        for sent in self.heard():
            said, content = found.get(sent.stream, ({}, b""))
            if sent.kind == frames.HEADERS:
                found[sent.stream] = ({**said, **self.decoded(sent)}, content)
            elif sent.kind == frames.DATA:
                found[sent.stream] = (said, content + sent.payload)
        return found

    def ended(self) -> tuple[int, str]:
        """With which code the server has ended the connection, and why it says so; (-1, "") when it has not."""
        away = [sent for sent in self.heard() if sent.kind == frames.GOAWAY]
        return (away[-1].code, self.server.closed) if away else (-1, "")

    def resets(self) -> list[tuple[int, int]]:
        """The streams that the server has reset, and their codes."""
        return [(sent.stream, sent.code) for sent in self.heard() if sent.kind == frames.RST_STREAM]
