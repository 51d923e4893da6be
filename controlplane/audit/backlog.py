"""Lines on their way from the event loop to the disk.

In: lines. Out: the same lines in order, some at a time, to one thread. Law: putting never waits, and no more bytes are
held than were allowed: what is beyond that is dropped, and the caller is told how much.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

# What is taken is held besides what waits, so it is little.
_AT_ONCE: Final = 1 << 20


class Backlog:
    """At most `limit` bytes of lines, for one thread that takes them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._changed = threading.Condition()

    def put(self, lines: Sequence[bytes]) -> int:
        """Takes as many of the lines as fit, in order; returns how many did not."""
        with self._changed:
            for number, line in enumerate(lines):
                if self._ended or self._size + len(line) > self._limit:
                    return len(lines) - number
                self._lines.append(line)
                self._size += len(line)
                self._changed.notify()
        return 0

    def take(self) -> list[bytes]:
        """The next lines, about a megabyte of them, as soon as there are any; [] after the end, when none are left."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._ended)
            taken: list[bytes] = []
            size = 0
            while self._lines and size < _AT_ONCE:
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            self._size -= size
            return taken

    def end(self) -> None:
        """Nothing will be put any more."""
        with self._changed:
            self._ended = True
            self._changed.notify()
