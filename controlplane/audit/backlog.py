"""Lines on their way from the event loop to the disk.

In: lines. Out: all lines so far, to one thread. Law: putting never waits, and no more bytes are held than were allowed:
what is beyond that is dropped, and the caller is told how much.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence


class Backlog:
    """At most `limit` bytes of lines, for one thread that takes them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: list[bytes] = []
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
        """All lines there are, as soon as there are any; [] after the end, when all have been taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._ended)
            lines, self._lines, self._size = self._lines, [], 0
            return lines

    def end(self) -> None:
        """Nothing will be put any more."""
        with self._changed:
            self._ended = True
            self._changed.notify()
