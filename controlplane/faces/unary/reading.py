"""Frames as they come in on one connection.

In: bytes, cut anywhere. Out: frames, header blocks in one piece. Law: no more than one frame and one header block is
held; what a client of HTTP/2 does not begin with, or puts within a header block, is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from controlplane.faces.unary.frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    HEADER_BYTES,
    HEADERS,
    LARGEST_WINDOW,
    LEAST_FRAME_SIZE,
    PREFACE,
    SETTINGS,
    Code,
    ConnectionFault,
    fragment,
)
from controlplane.faces.unary.heads import LIST_BYTES

Frame: TypeAlias = tuple[int, int, int, bytes]
"""Kind, flags, stream and payload; of HEADERS the payload is the whole header block, without padding and priority."""

# Who means well cuts a block only where a frame is full.
_MOST_PIECES: Final = 64


class Reading:
    """The incoming half of a connection."""

    def __init__(self) -> None:
        self._preface = PREFACE
        self._settled = False
        self._rest = b""
        # Flags and stream of the header block that has begun, its pieces, and their length.
        self._begun: tuple[int, int] | None = None
        self._pieces: list[bytes] = []

    def frames(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`; all of them are to be taken.

        Raises:
            ConnectionFault: when what comes is no HTTP/2, or larger than it may be.
        """
        if self._preface:
            some = data[: len(self._preface)]
            if not self._preface.startswith(some):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "no preface of HTTP/2")
            self._preface, data = self._preface[len(some) :], data[len(some) :]
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= HEADER_BYTES:
            length = int.from_bytes(data[at : at + 3])
            if length > LEAST_FRAME_SIZE:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            start = at + HEADER_BYTES
            if end - start < length:
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : start]) & LARGEST_WINDOW
            at = start + length
            payload = data[start:at]
            if not self._settled:
                if kind != SETTINGS or flags & ACK:
                    raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
                self._settled = True
            if self._begun is not None or kind in {HEADERS, CONTINUATION}:
                yield from self._block(kind, flags, stream, payload)
            else:
                yield kind, flags, stream, payload
        self._rest = data[at:]

    def _block(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[Frame]:
        """A piece of a header block, and the block when it is complete."""
        if self._begun is None:
            if kind == CONTINUATION:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
            payload = fragment(flags, payload)
            if flags & END_HEADERS:
                yield kind, flags, stream, payload
                return
            self._begun = flags, stream
        elif kind != CONTINUATION or stream != self._begun[1]:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame within a header block")
        self._pieces.append(payload)
        if len(self._pieces) > _MOST_PIECES or sum(map(len, self._pieces)) > LIST_BYTES:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a header block that is too large")
        if flags & END_HEADERS:
            (first, _), pieces = self._begun, self._pieces
            self._begun, self._pieces = None, []
            yield HEADERS, first, stream, b"".join(pieces)
