"""How objects stand, from one moment to the next.

In: what gives the standing of a moment. Out: the objects that stand otherwise than before, to whoever watches. Law:
nobody looks while nobody watches; a watcher that is slow is told of an object once, however often it changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Generic, Protocol, Self, TypeVar

from controlplane.configapi.conditions import Conditions, Standing
from controlplane.model.change import ObjectKey


class Comparable(Standing, Protocol):
    """How objects stand, to be compared with how they stood."""

    def looked(self) -> Self:
        """The same, which stays that of this moment however late it is asked."""

    def differing(self, before: Self) -> Iterable[ObjectKey]:
        """The objects that stood otherwise before."""


S = TypeVar("S", bound=Comparable)


class Changes:
    """What one watcher has still to be told."""

    def __init__(self, shown: Callable[[ObjectKey], Conditions]) -> None:
        self.shown = shown
        """The conditions of an object as it was looked at last: what differs from them later, is told later."""
        self._keys: set[ObjectKey] = set()
        self._some = asyncio.Event()

    def add(self, keys: Iterable[ObjectKey]) -> None:
        """These stand otherwise."""
        self._keys.update(keys)
        if self._keys:
            self._some.set()

    async def next(self) -> list[ObjectKey]:
        """All that stand otherwise since the last call, in order, as soon as there are any."""
        await self._some.wait()
        keys, self._keys = sorted(self._keys), set()
        self._some.clear()
        return keys


class Moments(Protocol):
    """How objects stand now, and what changes of that."""

    def now(self) -> Standing:
        """How objects stand at this moment."""

    def changes(self) -> AbstractContextManager[Changes]:
        """What changes from now on."""


class Standings(Generic[S]):
    """The standing of each moment; while there are watchers, it is looked at again whenever `pause` has returned."""

    def __init__(self, look: Callable[[], S], pause: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._pause = pause
        self._watchers: set[Changes] = set()
        self._watched = asyncio.Event()
        self._latest = look()

    def now(self) -> Standing:
        """How objects stand at this moment."""
        return self._look()

    @contextmanager
    def changes(self) -> Iterator[Changes]:
        """What changes from now on."""
        if not self._watchers:
            self._latest = self._look().looked()
        changes = Changes(self._shown)
        self._watchers.add(changes)
        self._watched.set()
        try:
            yield changes
        finally:
            self._watchers.discard(changes)
            if not self._watchers:
                self._watched.clear()

    async def run(self) -> None:
        """Looks, until it is cancelled."""
        while True:
            await self._watched.wait()
            await self._pause()
            before, self._latest = self._latest, self._look()
            keys = tuple(self._latest.differing(before))
            for changes in self._watchers:
                changes.add(keys)

    def _shown(self, key: ObjectKey) -> Conditions:
        return self._latest(key)
