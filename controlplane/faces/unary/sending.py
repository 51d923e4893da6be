"""What goes out on one connection.

In: answers, and what the client says of its windows. Out: bytes, in order. Law: no more is sent than the client's
windows hold, on the stream and on the connection; what does not fit waits, and nothing else waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controlplane.faces.unary.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_BYTES,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    LEAST_FRAME_SIZE,
    MAX_FRAME_SIZE,
    SETTINGS,
    Code,
    ConnectionFault,
    frame,
    parsed_settings,
)
from controlplane.faces.unary.status import Status, block, failure
from controlplane.faces.unary.stream import PREFIX_BYTES, Stream

FIRST_WINDOW: Final = 65_535
"""A window of which nothing else has been said."""

# The encoder's table has no entries and never will: said once, no SETTINGS_HEADER_TABLE_SIZE needs an answer.
_NO_TABLE: Final = b"\x20"
_SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0, b"")
_HEAD: Final = block((":status", "200"), ("content-type", "application/grpc"))
_TRAILERS: Final = block(("grpc-status", "0"))
_HEAD_START: Final = frame(HEADERS, END_HEADERS, 0, _HEAD)[: HEADER_BYTES - 4]
_TRAILERS_START: Final = frame(HEADERS, END_HEADERS | END_STREAM, 0, _TRAILERS)[: HEADER_BYTES - 4]


class Sending:
    """The outgoing half of a connection."""

    def __init__(self) -> None:
        self.initial_window = FIRST_WINDOW
        """The window of a stream that is opened now."""
        self._window = FIRST_WINDOW
        self._frame_size = LEAST_FRAME_SIZE
        self._waiting: dict[int, Stream] = {}
        self._out: list[bytes] = []
        self._table_told = False

    def write(self, sent: bytes) -> None:
        """Sends a frame that needs no window."""
        self._out.append(sent)

    def take(self) -> bytes:
        """What is to be sent now; it is not given again."""
        out, self._out = b"".join(self._out), []
        return out

    def answer(self, stream: Stream, message: bytes) -> bool:
        """Sends an answer, or as much as the windows let; True when that was all."""
        number, size = stream.number.to_bytes(4), PREFIX_BYTES + len(message)
        if self._table_told:
            self._out += (_HEAD_START, number, _HEAD)
        else:
            self._headers(END_HEADERS, stream.number, _HEAD)
        if size <= self._window and size <= stream.window and size <= self._frame_size:
            self._window -= size
            # One frame of kind DATA (0) without flags, and in it a message that is not compressed (0).
            length = len(message).to_bytes(4)
            self._out += (size.to_bytes(3), b"\0\0", number, b"\0", length, message, _TRAILERS_START, number, _TRAILERS)
            return True
        stream.rest = memoryview(b"\0" + len(message).to_bytes(4) + message)
        self._waiting[stream.number] = stream
        return self._go_on(stream)

    def fail(self, stream: int, status: Status, message: str) -> None:
        """Sends the answer of a call that fails."""
        self._headers(END_HEADERS | END_STREAM, stream, failure(status, message))

    def refuse(self, stream: int, http: int) -> None:
        """Sends an answer that is not gRPC's."""
        self._headers(END_HEADERS | END_STREAM, stream, block((":status", str(http))))

    def forget(self, stream: int) -> None:
        """Sends no more of an answer."""
        self._waiting.pop(stream, None)

    def widened(self, by: int) -> list[int]:
        """The client lets us send so many bytes more on the connection; the streams whose answers are complete now.

        Raises:
            ConnectionFault: when a window is larger than windows can be.
        """
        self._window += by
        if self._window > LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window of the connection that is too large")
        return self._all_go_on()

    def widened_stream(self, stream: Stream, by: int) -> bool | None:
        """The same of one stream: True when its answer is complete now, None when the window would be too large."""
        stream.window += by
        if stream.window > LARGEST_WINDOW:
            return None
        return stream.rest is not None and self._go_on(stream)

    def settings(self, payload: bytes, streams: Iterable[Stream]) -> list[int]:
        """Takes the client's settings, for `streams` that are open too; those whose answers are complete now.

        Raises:
            ConnectionFault: when one of them is not allowed.
        """
        told = list(parsed_settings(payload))
        # Whoever is told what we have taken counts by it from there on, so it goes before what it lets out.
        self._out.append(_SETTINGS_ACK)
        before = most = self.initial_window
        for name, value in told:
            if name == MAX_FRAME_SIZE:
                self._frame_size = value
            elif name == INITIAL_WINDOW_SIZE:
                self.initial_window, most = value, max(value, most)
        # One frame can say it 2,730 times while a thousand streams are open, so they are gone through once.
        for stream in streams if most != before or self.initial_window != before else ():
            if stream.window + most - before > LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window of a stream that is too large")
            stream.window += self.initial_window - before
        return self._all_go_on()

    def _headers(self, flags: int, stream: int, content: bytes) -> None:
        if not self._table_told:
            content, self._table_told = _NO_TABLE + content, True
        self._out.append(frame(HEADERS, flags, stream, content))

    def _all_go_on(self) -> list[int]:
        if self._window <= 0:
            return []
        return [stream.number for stream in list(self._waiting.values()) if self._go_on(stream)]

    def _go_on(self, stream: Stream) -> bool:
        rest = stream.rest
        while rest:
            room = min(self._window, stream.window, self._frame_size)
            if room <= 0:
                stream.rest = rest
                return False
            part, rest = rest[:room], rest[room:]
            self._window -= len(part)
            stream.window -= len(part)
            self._out.append(frame(DATA, 0, stream.number, bytes(part)))
        self._headers(END_HEADERS | END_STREAM, stream.number, _TRAILERS)
        del self._waiting[stream.number]
        return True
