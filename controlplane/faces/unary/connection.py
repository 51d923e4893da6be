"""A connection of HTTP/2 (RFC 9113) as a server of unary gRPC calls sees it, without any I/O.

In: bytes, as they come. Out: calls, calls that nobody waits for any more, and bytes to send. Law: whatever comes,
nothing is raised, and what is held is bounded; after a fault nothing more is believed, and `closed` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final

from controlplane.faces.unary import frames
from controlplane.faces.unary.frames import ACK, END_STREAM, Code, ConnectionFault
from controlplane.faces.unary.heads import LIST_BYTES, Heads
from controlplane.faces.unary.reading import Reading
from controlplane.faces.unary.sending import FIRST_WINDOW, Sending
from controlplane.faces.unary.status import Status
from controlplane.faces.unary.stream import STREAM_WINDOW, Call, Defect, Stream
from controlplane.faces.unary.streams import Streams

CONCURRENT_STREAMS: Final = 1000
"""How many calls of one connection may be under way."""
CONNECTION_WINDOW: Final = 8 << 20
"""How many bytes of all calls together may be on their way."""
HELD_BYTES: Final = 64 << 20
"""How many bytes all calls under way may have brought."""

_LAST_PING: Final = b"\0\0goaway"
_OURS: Final = frames.settings(
    {
        frames.MAX_CONCURRENT_STREAMS: CONCURRENT_STREAMS,
        frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        frames.MAX_HEADER_LIST_SIZE: LIST_BYTES,
    }
) + frames.window_update(0, CONNECTION_WINDOW - FIRST_WINDOW)


class Connection:
    """`methods` are the paths there are; a call of another is answered as gRPC answers it."""

    def __init__(self, methods: Container[str]) -> None:
        self.closed = ""
        """Why the connection is to be closed once what is left was sent; "" while it is not."""
        self.faulty = False
        """Whether it is to be closed for what the client sent."""
        self._methods = methods
        self._reading = Reading()
        self._heads = Heads()
        self._sending = Sending()
        self._sending.write(_OURS)
        self._streams = Streams(self._sending)
        self._owed = 0
        self._looked_at = 0
        self._leaving = self._left = False
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.PRIORITY: self._priority,
            frames.RST_STREAM: self._rst_stream,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._push_promise,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
        }

    def receive(self, data: bytes, now: float) -> tuple[list[Call], list[int]]:
        """Takes what came at `now`, in seconds of a steady clock.

        Out come the calls to answer, and the streams of earlier ones that nobody waits for any more.
        """
        self._streams.begin(now)
        try:
            if not self.closed:
                for kind, flags, stream, payload in self._reading.frames(data):
                    self._handlers.get(kind, self._unknown)(flags, stream, payload)
            self._close_when_done()
        except ConnectionFault as fault:
            self._sending.write(frames.goaway(self._looked_at, fault.code, fault.reason))
            self.closed, self.faulty = fault.reason, True
        calls, cancelled = self._streams.taken()
        return [] if self.faulty else calls, cancelled

    def outgoing(self) -> bytes:
        """What is to be sent now; it is not given again."""
        return self._sending.take()

    def answer(self, stream: int, message: bytes) -> None:
        """Answers a call; nothing happens when nobody waits for it any more."""
        found = self._streams.open.get(stream)
        if found is not None and found.rest is None:
            self._streams.answered(found, complete=self._sending.answer(found, message))
            self._close_when_done()

    def fail(self, stream: int, status: Status, message: str) -> None:
        """Answers a call that fails; nothing happens when nobody waits for it any more."""
        found = self._streams.open.get(stream)
        if found is not None and found.rest is None:
            self._sending.fail(stream, status, message)
            self._streams.end_early(found)
            self._close_when_done()

    def goaway(self) -> None:
        """Sends the client elsewhere; `closed` is set when it has heard so and its calls are answered."""
        if not self._leaving:
            self._leaving = True
            # Calls that are on their way are answered still: after the answer to the ping there are none.
            self._sending.write(frames.goaway(frames.LARGEST_WINDOW, Code.NO_ERROR))
            self._sending.write(frames.frame(frames.PING, 0, 0, _LAST_PING))

    def _data(self, flags: int, number: int, payload: bytes) -> None:
        length = len(payload)
        # What came is given back before half a window is used up, so no client can be seen to have sent too much.
        self._owed += length
        if self._owed >= CONNECTION_WINDOW // 2:
            self._sending.write(frames.window_update(0, self._owed))
            self._owed = 0
        content = frames.unpadded(flags, payload)
        stream = self._streams.known(number)
        if stream is None:
            if not self._streams.over(number):
                self._streams.spend()
                self._sending.write(frames.rst_stream(number, Code.STREAM_CLOSED))
            return
        stream.owed += length
        if stream.ended:
            self._streams.reset(stream, Code.STREAM_CLOSED)
            return
        stream.ended = bool(flags & END_STREAM)
        if not content and not stream.ended:
            self._streams.spend()
        self._streams.held += len(content)
        defect = stream.take(content)
        if defect is None and self._streams.held > HELD_BYTES:
            defect = Defect(Status.RESOURCE_EXHAUSTED, "the calls of this connection hold too much")
        if defect is not None:
            self.fail(number, defect.status, defect.message)
        elif stream.ended:
            self._complete(stream)
        elif stream.owed >= STREAM_WINDOW // 2:
            self._sending.write(frames.window_update(number, stream.owed))
            stream.owed = 0

    def _headers(self, flags: int, number: int, block: bytes) -> None:
        if not number & 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream that no client can open")
        if number <= self._streams.last:
            self._trailers(flags, number, block)
            return
        self._streams.last = number
        head = self._heads.head(block)
        stream = Stream(number, head, self._sending.initial_window, ended=bool(flags & END_STREAM))
        if self._left:
            # The client knows by now that nobody looks at these.
            self._streams.remember(number, early=True)
            return
        self._looked_at = number
        self._streams.open[number] = stream
        if head.malformed:
            self._streams.reset(stream, Code.PROTOCOL_ERROR)
        elif len(self._streams.open) > CONCURRENT_STREAMS:
            self._streams.reset(stream, Code.REFUSED_STREAM)
        elif head.refusal is not None and head.refusal.http != 200:
            self._sending.refuse(number, head.refusal.http)
            self._streams.end_early(stream)
        elif head.refusal is not None:
            self.fail(number, head.refusal.status, head.refusal.message)
        elif head.path not in self._methods:
            self.fail(number, Status.UNIMPLEMENTED, "there is no such method here")
        elif stream.ended:
            self._complete(stream)

    def _trailers(self, flags: int, number: int, block: bytes) -> None:
        proper = self._heads.trailers(block)
        stream = self._streams.known(number)
        if stream is None:
            more = self._streams.over(number)
            if more is None:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream before the last one")
            if not more:
                raise ConnectionFault(Code.STREAM_CLOSED, "HEADERS on a stream that is closed")
        elif stream.ended:
            self._streams.reset(stream, Code.STREAM_CLOSED)
        elif not proper or not flags & END_STREAM:
            self._streams.reset(stream, Code.PROTOCOL_ERROR)
        else:
            stream.ended = True
            self._complete(stream)

    def _complete(self, stream: Stream) -> None:
        """Everything of a call has come."""
        if stream.head.length is not None and stream.head.length != stream.came:
            self._streams.reset(stream, Code.PROTOCOL_ERROR)
            return
        call = stream.call()
        if isinstance(call, Defect):
            self.fail(stream.number, call.status, call.message)
        else:
            self._streams.call(stream, call)

    def _priority(self, _flags: int, number: int, payload: bytes) -> None:
        frames.whole("PRIORITY", payload, 5)
        self._streams.spend()
        if not number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY of no stream")

    def _rst_stream(self, _flags: int, number: int, payload: bytes) -> None:
        frames.whole("RST_STREAM", payload, 4)
        stream = self._streams.known(number)
        if stream is None:
            self._streams.spend()
            return
        # Envoy resets what its own clients give up, as often as they like, and on the one connection that all share. It
        # ends work instead of making some, so that a call and its reset cost less than a call that is answered.
        self._streams.was_reset(stream)

    def _settings(self, flags: int, number: int, payload: bytes) -> None:
        self._of_connection(number)
        self._streams.spend()
        if flags & ACK:
            frames.whole("SETTINGS that acknowledge", payload, 0)
            return
        self._end_all(self._sending.settings(payload, self._streams.open.values()))

    def _push_promise(self, _flags: int, _number: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE of a client")

    def _ping(self, flags: int, number: int, payload: bytes) -> None:
        self._of_connection(number)
        frames.whole("PING", payload, 8)
        self._streams.spend()
        if not flags & ACK:
            self._sending.write(frames.frame(frames.PING, ACK, 0, payload))
        elif payload == _LAST_PING and self._leaving and not self._left:
            self._left = True
            self._sending.write(frames.goaway(self._looked_at, Code.NO_ERROR))

    def _goaway(self, _flags: int, number: int, payload: bytes) -> None:
        self._of_connection(number)
        self._streams.spend()
        # It opens no more streams, and closes the connection itself.
        if len(payload) < 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"GOAWAY of {len(payload)} bytes")

    def _window_update(self, _flags: int, number: int, payload: bytes) -> None:
        by = int.from_bytes(frames.whole("WINDOW_UPDATE", payload, 4)) & frames.LARGEST_WINDOW
        self._streams.spend()
        if not number:
            if not by:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            self._end_all(self._sending.widened(by))
            return
        stream = self._streams.known(number)
        if stream is None:
            return
        if not by:
            self._streams.reset(stream, Code.PROTOCOL_ERROR)
            return
        complete = self._sending.widened_stream(stream, by)
        if complete is None:
            self._streams.reset(stream, Code.FLOW_CONTROL_ERROR)
        elif complete:
            self._streams.end(stream)

    def _unknown(self, _flags: int, _number: int, _payload: bytes) -> None:
        self._streams.spend()

    def _of_connection(self, number: int) -> None:
        if number:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame of the connection on a stream")

    def _end_all(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._streams.end(self._streams.open[number])

    def _close_when_done(self) -> None:
        if self._left and not self._streams.open and not self.closed:
            self.closed = "the server goes away"
