"""The one asyncio tool between stages: a value that can be watched.

In: whole values. Out: the latest of them, to any number of waiters. Law: a waiter never sees an older value after a
newer one, and may miss values in between (latest wins), but never the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Watchable(Generic[T]):
    """The latest value of something, and a way to wait for the next."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._waiters: set[asyncio.Future[None]] = set()
        self._listeners: dict[object, Callable[[], None]] = {}

    @property
    def value(self) -> T:
        """The latest value published."""
        return self._value

    def publish(self, value: T) -> None:
        """Makes `value` the latest and wakes every waiter; the identical object wakes nobody."""
        if value is self._value:
            return
        self._value = value
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        for listener in tuple(self._listeners.values()):
            listener()

    @contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Calls `listener` at every publication: where a thousand wait, a task for each would be the larger cost."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]

    async def changed(self, seen: T) -> T:
        """The latest value, as soon as it is not the object `seen`."""
        while self._value is seen:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self._value
