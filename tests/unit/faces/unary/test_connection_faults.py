"""What RFC 9113 says must end a stream or a connection, and what it says must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from unary_client import END, HEADERS, WHOLE, Client, head, message

from controlplane.faces.unary import frames
from controlplane.faces.unary.connection import CONNECTION_WINDOW
from controlplane.faces.unary.frames import Code, frame, rst_stream, settings, window_update
from controlplane.faces.unary.heads import LIST_BYTES
from controlplane.faces.unary.stream import STREAM_WINDOW

Say = Callable[[Client], bytes]
"""What a client says that has called on stream 1 and has been answered, and has called on stream 3."""

CONNECTION_FAULTS: dict[str, tuple[Code, Say]] = {
    "a frame that is too long": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.DATA, 0, 3, b"x" * 16385)),
    "DATA of no stream": (Code.PROTOCOL_ERROR, lambda c: c.data(0, b"")),
    "DATA of an idle stream": (Code.PROTOCOL_ERROR, lambda c: c.data(5, b"")),
    "DATA with too much padding": (Code.PROTOCOL_ERROR, lambda _: frame(frames.DATA, frames.PADDED, 3, b"\1")),
    "DATA padded by nothing": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.DATA, frames.PADDED, 3, b"")),
    "HEADERS of no stream": (Code.PROTOCOL_ERROR, lambda c: c.headers(0)),
    "HEADERS of a stream of ours": (Code.PROTOCOL_ERROR, lambda c: c.headers(6)),
    "HEADERS of a stream that is closed": (Code.STREAM_CLOSED, lambda c: c.headers(1)),
    "HEADERS of a stream that was passed over": (
        Code.PROTOCOL_ERROR,
        lambda c: c.headers(9, flags=WHOLE) + c.headers(7, flags=WHOLE),
    ),
    "HEADERS without their priority": (
        Code.FRAME_SIZE_ERROR,
        lambda _: frame(frames.HEADERS, frames.PRIORITISED | WHOLE, 5, b"\0\0\0\0"),
    ),
    "HEADERS that cannot be decoded": (Code.COMPRESSION_ERROR, lambda _: frame(frames.HEADERS, WHOLE, 5, b"\xff\xff")),
    "an index that is not there": (Code.COMPRESSION_ERROR, lambda _: frame(frames.HEADERS, WHOLE, 5, b"\xfe")),
    "a table that is too large": (Code.COMPRESSION_ERROR, lambda _: frame(frames.HEADERS, WHOLE, 5, b"\x3f\xe2\x1f")),
    "headers that are too many": (
        Code.ENHANCE_YOUR_CALM,
        lambda c: c.headers(5, [*HEADERS, *((f"a{number}", "b") for number in range(LIST_BYTES // 32))]),
    ),
    "a header block that is too long": (
        Code.ENHANCE_YOUR_CALM,
        lambda _: frame(frames.HEADERS, 0, 5, b"x" * 16384) + frame(frames.CONTINUATION, 0, 5, b"x"),
    ),
    "a header block in too many pieces": (
        Code.ENHANCE_YOUR_CALM,
        lambda _: frame(frames.HEADERS, 0, 5, b"") + frame(frames.CONTINUATION, 0, 5, b"") * 64,
    ),
    "CONTINUATION of nothing": (Code.PROTOCOL_ERROR, lambda _: frame(frames.CONTINUATION, WHOLE, 5, b"")),
    "CONTINUATION of another stream": (
        Code.PROTOCOL_ERROR,
        lambda _: frame(frames.HEADERS, 0, 5, b"") + frame(frames.CONTINUATION, WHOLE, 7, b""),
    ),
    "something within a header block": (
        Code.PROTOCOL_ERROR,
        lambda _: frame(frames.HEADERS, 0, 5, b"") + frame(0x77, 0, 0, b""),
    ),
    "PRIORITY of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.PRIORITY, 0, 3, b"\0" * 4)),
    "PRIORITY of no stream": (Code.PROTOCOL_ERROR, lambda _: frame(frames.PRIORITY, 0, 0, b"\0" * 5)),
    "RST_STREAM of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.RST_STREAM, 0, 3, b"\0" * 3)),
    "RST_STREAM of no stream": (Code.PROTOCOL_ERROR, lambda _: rst_stream(0, Code.NO_ERROR)),
    "RST_STREAM of an idle stream": (Code.PROTOCOL_ERROR, lambda _: rst_stream(5, Code.NO_ERROR)),
    "SETTINGS of a stream": (Code.PROTOCOL_ERROR, lambda _: frame(frames.SETTINGS, 0, 3, b"")),
    "SETTINGS of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.SETTINGS, 0, 0, b"\0" * 5)),
    "SETTINGS that acknowledge something": (
        Code.FRAME_SIZE_ERROR,
        lambda _: frame(frames.SETTINGS, frames.ACK, 0, b"\0" * 6),
    ),
    "ENABLE_PUSH of 2": (Code.PROTOCOL_ERROR, lambda _: settings({frames.ENABLE_PUSH: 2})),
    "a window that is too large": (Code.FLOW_CONTROL_ERROR, lambda _: settings({frames.INITIAL_WINDOW_SIZE: 2**31})),
    "frames that are too small": (Code.PROTOCOL_ERROR, lambda _: settings({frames.MAX_FRAME_SIZE: 2**14 - 1})),
    "frames that are too large": (Code.PROTOCOL_ERROR, lambda _: settings({frames.MAX_FRAME_SIZE: 2**24})),
    "an open window that becomes too large": (
        Code.FLOW_CONTROL_ERROR,
        lambda _: window_update(3, 2**31 - 1 - 65535) + settings({frames.INITIAL_WINDOW_SIZE: 65536}),
    ),
    "PUSH_PROMISE": (Code.PROTOCOL_ERROR, lambda _: frame(frames.PUSH_PROMISE, WHOLE, 3, b"\0" * 4)),
    "PING of a stream": (Code.PROTOCOL_ERROR, lambda _: frame(frames.PING, 0, 3, b"\0" * 8)),
    "PING of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.PING, 0, 0, b"\0" * 7)),
    "GOAWAY of a stream": (Code.PROTOCOL_ERROR, lambda _: frame(frames.GOAWAY, 0, 3, b"\0" * 8)),
    "GOAWAY of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.GOAWAY, 0, 0, b"\0" * 7)),
    "WINDOW_UPDATE of another length": (Code.FRAME_SIZE_ERROR, lambda _: frame(frames.WINDOW_UPDATE, 0, 0, b"\0" * 3)),
    "WINDOW_UPDATE by nothing": (Code.PROTOCOL_ERROR, lambda _: window_update(0, 0)),
    "WINDOW_UPDATE of an idle stream": (Code.PROTOCOL_ERROR, lambda _: window_update(5, 1)),
    "WINDOW_UPDATE by too much": (Code.FLOW_CONTROL_ERROR, lambda _: window_update(0, 2**31 - 1)),
}

STREAM_FAULTS: dict[str, tuple[int, Code, Say]] = {
    "DATA after the end": (3, Code.STREAM_CLOSED, lambda c: c.data(3, b"x")),
    "DATA of a closed stream": (1, Code.STREAM_CLOSED, lambda c: c.data(1, b"x")),
    "HEADERS after the end": (3, Code.STREAM_CLOSED, lambda c: c.headers(3, [("a", "b")], WHOLE | END)),
    "WINDOW_UPDATE of a stream by nothing": (3, Code.PROTOCOL_ERROR, lambda _: window_update(3, 0)),
    "WINDOW_UPDATE of a stream by too much": (3, Code.FLOW_CONTROL_ERROR, lambda _: window_update(3, 2**31 - 1)),
    "trailers that are not the end": (
        5,
        Code.PROTOCOL_ERROR,
        lambda c: c.headers(5) + c.headers(5, [("a", "b")], WHOLE),
    ),
    "trailers with a pseudo-header": (
        5,
        Code.PROTOCOL_ERROR,
        lambda c: c.headers(5) + c.headers(5, [(":path", "/")], WHOLE | END),
    ),
    "a content-length that is not true": (
        5,
        Code.PROTOCOL_ERROR,
        lambda c: c.call(5, headers=head(("content-length", "1"))),
    ),
    "no path": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, [each for each in HEADERS if each[0] != ":path"])),
    "an empty path": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, head(path=""))),
    "two paths": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, [(":path", "/"), *HEADERS])),
    "an unknown pseudo-header": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, [(":status", "200"), *HEADERS])),
    "a pseudo-header after a field": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, [*HEADERS[1:], HEADERS[0]])),
    "a name in capitals": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, head(("A", "b")))),
    "a value of two lines": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, head(("a", "b\r\nc: d")))),
    "a header of HTTP/1.1": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, head(("connection", "close")))),
    "te that is not trailers": (5, Code.PROTOCOL_ERROR, lambda c: c.headers(5, head(("te", "gzip")))),
    "a content-length that is none": (
        5,
        Code.PROTOCOL_ERROR,
        lambda c: c.headers(5, head(("content-length", "-1"))),
    ),
}

HARMLESS: dict[str, Say] = {
    "frames nobody knows": lambda _: frame(0x77, 0xFF, 3, b"anything"),
    "settings nobody knows": lambda _: settings({0x77: 0xFFFFFFFF}),
    "PRIORITY": lambda _: (
        frame(frames.PRIORITY, 0, 3, b"\0\0\0\0\x10") + frame(frames.PRIORITY, 0, 99, b"\0\0\0\0\x10")
    ),
    "WINDOW_UPDATE of a closed stream": lambda _: window_update(1, 1),
    "RST_STREAM of a closed stream": lambda _: rst_stream(1, Code.NO_ERROR),
    "GOAWAY": lambda _: frames.goaway(0, Code.NO_ERROR, "bye"),
    "an acknowledgement": lambda _: frame(frames.SETTINGS, frames.ACK, 0, b""),
    "an answer to no ping": lambda _: frame(frames.PING, frames.ACK, 0, b"\0" * 8),
    "the reserved bits": lambda _: frame(frames.WINDOW_UPDATE, 0, 3 | 1 << 31, b"\x80\0\0\1"),
}


def begun() -> Client:
    """A client that has been answered on stream 1 and waits on stream 3."""
    client = Client()
    client.say(client.call(1), client.call(3))
    client.server.answer(1, b"x")
    client.heard()
    return client


@pytest.mark.parametrize(("code", "say"), CONNECTION_FAULTS.values(), ids=CONNECTION_FAULTS)
def test_what_ends_a_connection(code: Code, say: Say) -> None:
    """The code is the one RFC 9113 names, and nothing that comes after is heard."""
    client = begun()
    client.say(say(client))
    client.say(client.call(99))

    assert code == client.ended()[0]
    assert [1, 3] == [call.stream for call in client.calls]


@pytest.mark.parametrize(("stream", "code", "say"), STREAM_FAULTS.values(), ids=STREAM_FAULTS)
def test_what_ends_a_stream(stream: int, code: Code, say: Say) -> None:
    """The code is the one RFC 9113 names, and the connection goes on."""
    client = begun()
    client.say(say(client))
    said = client.resets()
    client.say(client.call(99))

    assert [(stream, code)] == said
    assert (99, "") == (client.calls[-1].stream, client.server.closed)
    assert ([3] if stream == 3 else []) == client.cancelled


@pytest.mark.parametrize("say", HARMLESS.values(), ids=HARMLESS)
def test_what_ends_nothing(say: Say) -> None:
    """It is ignored, and the call that waits is answered."""
    client = begun()
    client.say(say(client))
    client.server.answer(3, b"answer")

    assert message(b"answer") == client.answers()[3][1]
    assert ("", []) == (client.server.closed, client.cancelled)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01",
        frames.PREFACE + frame(frames.PING, 0, 0, b"\0" * 8),
        frames.PREFACE + frame(frames.SETTINGS, frames.ACK, 0, b""),
    ],
)
def test_what_no_client_of_http2_begins_with(said: bytes) -> None:
    """HTTP/1.1, TLS, and a preface without settings."""
    client = Client(begun=False)
    client.say(said)

    assert Code.PROTOCOL_ERROR == client.ended()[0]


def test_padding_is_given_back_too() -> None:
    """Once half of a stream's window is used up, and half of the connection's, also for streams that are over."""
    client = begun()
    client.say(client.headers(5), client.data(5, b"\0\0\x20\0\0", flags=0))
    padded = frame(frames.DATA, frames.PADDED, 5, b"\xfe" + b"x" + b"\0" * 254)
    client.say(padded * (STREAM_WINDOW // 2 // 256 - 1))
    before = client.heard()
    client.say(padded)
    given = client.heard()
    client.say(padded)
    after = client.heard()
    client.say(rst_stream(5, Code.NO_ERROR), client.headers(7), client.data(7, b"\0\xff\xff\xff\xff", flags=0))
    client.server.outgoing()
    late = client.data(7, b"x" * frames.LEAST_FRAME_SIZE, flags=0)
    client.say(late * (CONNECTION_WINDOW // 2 // frames.LEAST_FRAME_SIZE))

    assert ([], []) == (before, after)
    assert [(5, STREAM_WINDOW // 2 + 5)] == [(sent.stream, int.from_bytes(sent.payload)) for sent in given]
    assert [(frames.WINDOW_UPDATE, 0)] == [(sent.kind, sent.stream) for sent in client.heard()]
