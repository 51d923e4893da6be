"""Which of many like events are told.

In: what an event is about, and a clock. Out: whether to say so. Law: who is told of the same thing again and again, by
clients that try again and again, is told once a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

_SECONDS: Final = 60.0
_KEPT: Final = 1000


class Seldom:
    """Remembers what was told lately; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[Hashable, float] = {}

    def again(self, key: Hashable) -> bool:
        """Whether to tell of `key` now; then not again for a minute."""
        now = self._clock()
        last = self._told.pop(key, None)
        due = last is None or now - last >= _SECONDS
        self._told[key] = now if last is None or due else last
        if len(self._told) > _KEPT:
            del self._told[next(iter(self._told))]
        return due
