"""The newest changes in memory, one copy for all watchers.

In: batches as they are committed. Out: those after a revision, if all of them are still here. Law: memory is bounded by
the limits given, however many watch and however slow they are; revisions in it follow one another without a gap.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from controlplane.store.interface import Batch, Scope
from controlplane.store.rows import Stretch, batch_size

_STRETCH: Final = 256


class Tail:
    """The last transactions."""

    def __init__(self, revision: int, *, batches: int = 4096, size: int = 8 * 1024 * 1024) -> None:
        """`revision` is the last before the first batch; `size` counts bytes of values."""
        self._batches: deque[tuple[Batch, int]] = deque()
        self._most = batches
        self._room = size
        self.revision = revision

    def add(self, batch: Batch) -> None:
        """Takes the next batch in."""
        size = batch_size(batch)
        self._batches.append((batch, size))
        self._room -= size
        self.revision = batch.revision
        while self._batches and (self._room < 0 or len(self._batches) > self._most):
            self._room += self._batches.popleft()[1]

    def since(self, scope: Scope, after: int) -> Stretch | None:
        """The batches with events in `scope` after a revision, not too many at a time; None when some are gone."""
        begin = len(self._batches) - (self.revision - after)
        if begin < 0:
            return None
        batches, reached = [], after
        for batch, _ in islice(self._batches, begin, begin + _STRETCH):
            reached = batch.revision
            if events := tuple(event for event in batch.events if scope.holds(event.key)):
                batches.append(batch if len(events) == len(batch.events) else Batch(batch.revision, events))
        return Stretch(tuple(batches), reached)
