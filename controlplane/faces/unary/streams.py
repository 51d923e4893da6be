"""The streams of one connection.

In: streams that open and end. Out: calls to answer, and calls that nobody waits for any more. Law: of streams that are
over no more is kept than a fixed number of numbers; a client that goes on for nothing is told to calm down.
"""

from __future__ import annotations

from typing import Final

from controlplane.faces.unary.frames import Code, ConnectionFault, rst_stream
from controlplane.faces.unary.sending import Sending
from controlplane.faces.unary.stream import Call, Credit, Stream

_KEPT: Final = 256


class Streams:
    """Those that are open, and the last of those that were; what ends one is sent by `sending`."""

    def __init__(self, sending: Sending) -> None:
        self.open: dict[int, Stream] = {}
        self.held = 0
        """How many bytes the open ones have brought."""
        self.last = 0
        """The last that was opened."""
        self._sending = sending
        self._credit = Credit()
        self._now = 0.0
        self._calls: dict[int, Call] = {}
        self._cancelled: list[int] = []
        # Those that ended lately, and whether the client may not have known so when it sent what comes for them.
        self._over: dict[int, bool] = {}

    def begin(self, now: float) -> None:
        """What follows comes at `now`, in seconds."""
        self._now = now

    def taken(self) -> tuple[list[Call], list[int]]:
        """The calls that came since the last time, and the streams of earlier ones that nobody waits for any more."""
        calls, cancelled = list(self._calls.values()), self._cancelled
        self._calls, self._cancelled = {}, []
        return calls, cancelled

    def spend(self) -> None:
        """Counts what brings no call further.

        Raises:
            ConnectionFault: when it is too much.
        """
        if not self._credit.spend(self._now):
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too much that brings no call further")

    def known(self, number: int) -> Stream | None:
        """An open stream, None for one that is over.

        Raises:
            ConnectionFault: when it was never opened.
        """
        if not number & 1 or number > self.last:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame on a stream that was not opened")
        return self.open.get(number)

    def over(self, number: int) -> bool | None:
        """Of a stream that is over: whether more of it may come; None when that is too long ago."""
        return self._over.get(number)

    def call(self, stream: Stream, call: Call) -> None:
        """A call has come."""
        stream.called = True
        self._calls[call.stream] = call

    def answered(self, stream: Stream, *, complete: bool) -> None:
        """A call was answered; `complete`: all of the answer has gone."""
        self._credit.answered()
        if complete:
            self.end(stream)

    def reset(self, stream: Stream, code: Code) -> None:
        """Ends a stream for what the client did wrong with it.

        Raises:
            ConnectionFault: when the client does too much of that.
        """
        self.spend()
        self._sending.write(rst_stream(stream.number, code))
        self._cancel(stream)
        self.end(stream)

    def was_reset(self, stream: Stream) -> None:
        """The client has ended a stream."""
        self._cancel(stream)
        stream.ended = True
        self.end(stream)

    def end_early(self, stream: Stream) -> None:
        """Everything was said to a client that may not have said everything itself."""
        if not stream.ended:
            self._sending.write(rst_stream(stream.number, Code.NO_ERROR))
        self.end(stream)

    def end(self, stream: Stream) -> None:
        """A stream is over."""
        self._sending.forget(stream.number)
        del self.open[stream.number]
        self.held -= stream.came
        self.remember(stream.number, early=not stream.ended)

    def remember(self, number: int, *, early: bool) -> None:
        """A stream is over, for the client `early`."""
        self._over[number] = early
        if len(self._over) > _KEPT:
            del self._over[next(iter(self._over))]

    def _cancel(self, stream: Stream) -> None:
        if self._calls.pop(stream.number, None) is None and stream.called and stream.rest is None:
            self._cancelled.append(stream.number)
