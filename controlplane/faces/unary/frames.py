"""Frames of HTTP/2 (RFC 9113), as far as each can be read by itself.

In: a kind, flags, a stream's number and a payload. Out: bytes, or what a payload says. Law: a payload that is not made
as section 6 says is a fault of the kind that section names.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
LARGEST_WINDOW: Final = 2**31 - 1
LEAST_FRAME_SIZE: Final = 1 << 14
"""The payload that everybody takes, in bytes; we take no more."""
_LARGEST_FRAME_SIZE: Final = 2**24 - 1

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITISED: Final = 0x20

ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6


class Code(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    FLOW_CONTROL_ERROR = 0x3
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


class ConnectionFault(Exception):  # noqa: N818 - RFC 9113 calls it a connection error, and so would the name
    """What the client sent ends the connection; `reason` quotes nothing of it."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """The bytes of a frame; stream 0 is the connection."""
    return b"%b%c%c%b%b" % (len(payload).to_bytes(3), kind, flags, stream.to_bytes(4), payload)


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    pairs = [name.to_bytes(2) + value.to_bytes(4) for name, value in values.items()]
    return frame(SETTINGS, 0, 0, b"".join(pairs))


def window_update(stream: int, by: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, by.to_bytes(4))


def rst_stream(stream: int, code: Code) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))


def goaway(last: int, code: Code, reason: str = "") -> bytes:
    """A GOAWAY frame: streams after `last` have not been looked at."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4) + code.to_bytes(4) + reason.encode())


def whole(kind: str, payload: bytes, length: int) -> bytes:
    """The payload of a frame that always has the same length.

    Raises:
        ConnectionFault: when it has another.
    """
    if len(payload) != length:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"{kind} of {len(payload)} bytes")
    return payload


def unpadded(flags: int, payload: bytes) -> bytes:
    """The payload of DATA or HEADERS without its padding.

    Raises:
        ConnectionFault: when the padding is longer than the payload.
    """
    if not flags & PADDED:
        return payload
    if not payload:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "padding without a length")
    if payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def fragment(flags: int, payload: bytes) -> bytes:
    """The part of a header block that a HEADERS frame holds.

    Raises:
        ConnectionFault: when there is no room for it.
    """
    payload = unpadded(flags, payload)
    if not flags & PRIORITISED:
        return payload
    if len(payload) < 5:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS without the priority they announce")
    return payload[5:]


def parsed_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """The settings in a SETTINGS frame, in their order; unknown ones are left to be ignored.

    Raises:
        ConnectionFault: when one of them is not allowed.
    """
    if len(payload) % 6:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes")
    for at in range(0, len(payload), 6):
        name, value = int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6])
        if name == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "an initial window that is too large")
        if name == ENABLE_PUSH and value > 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "ENABLE_PUSH is neither 0 nor 1")
        if name == MAX_FRAME_SIZE and not LEAST_FRAME_SIZE <= value <= _LARGEST_FRAME_SIZE:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a MAX_FRAME_SIZE that cannot be")
        yield name, value
