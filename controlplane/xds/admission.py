"""How many streams are taken on, and how fast.

In: the time of each arrival. Out: how long it waits, or why it is refused. Law: at no moment are there more streams
than the limit, and in no span of time more were let in than the rate allows for that span and one second before it.
"""

from __future__ import annotations

from typing import Final

# An arrival that would have to wait longer is refused instead: who is refused tries again after a back-off of its own,
# and meanwhile costs nothing.
LONGEST_WAIT: Final = 1.0


class TokenBucket:
    """Lets in `rate` arrivals a second, and as many at once after a second of quiet."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at: float | None = None

    def take(self, now: float, longest_wait: float) -> float | None:
        """The seconds to wait until there is a token, which is taken now already; None, and none taken, when too long.

        `now` is in seconds of any monotonic clock. Waiting arrivals are let in in the order in which they came.
        """
        if self._at is not None:
            self._tokens = min(self._rate, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        wait = max(0.0, (1.0 - self._tokens) / self._rate)
        if wait > longest_wait:
            return None
        self._tokens -= 1.0
        return wait


class Admission:
    """Who may open a stream; every `enter` that did not give a reason to refuse is followed by one `leave`."""

    def __init__(self, max_streams: int, max_new_streams_per_second: int) -> None:
        self._max_streams = max_streams
        self._rate = max_new_streams_per_second
        self._bucket = TokenBucket(max_new_streams_per_second)
        self._streams = 0

    def enter(self, now: float) -> float | str:
        """The seconds a new stream waits before it is served, or the sentence that refuses it."""
        if self._streams >= self._max_streams:
            return f"{self._streams} streams are open, which is the limit (xds.maxStreams); try again, or elsewhere"
        wait = self._bucket.take(now, LONGEST_WAIT)
        if wait is None:
            return f"more than {self._rate} new streams a second arrive (xds.maxNewStreamsPerSecond); try again soon"
        self._streams += 1
        return wait

    def leave(self) -> None:
        """A stream that entered has ended."""
        self._streams -= 1
