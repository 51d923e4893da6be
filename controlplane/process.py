"""What a process is told by its operating system, and how it ends.

In: signals, tasks. Out: an event when it shall end, and the first reason for which a part of it failed. Law: when one
part ends, all end.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar

from controlplane.aio import Watchable
from controlplane.errors import IsthmusError

T = TypeVar("T")

# How many more objects there must be than before until the collector looks for cycles. With Python's own 700 it took a
# seventh of the time of 1,000 streams, and held everything up for half a second now and then with 10,000 APIServices.
_COLLECT_AFTER: Final = (20_000, 20, 20)


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def collecting_seldom(published: Watchable[T | None]) -> AsyncIterator[None]:
    """Has the garbage collector look seldom, and never again at what was there at the first publication."""

    async def freeze() -> None:
        await published.changed(None)
        gc.freeze()

    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    freezing = asyncio.create_task(freeze(), name="freeze")
    try:
        yield
    finally:
        freezing.cancel()
        gc.unfreeze()
        gc.set_threshold(*before)


class Together:
    """Contexts that are entered one after the other and left all at once: the last waits for no time of the first."""

    def __init__(self) -> None:
        self._entered: list[AbstractAsyncContextManager[object]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    @property
    def entered(self) -> bool:
        """Whether there is any that was entered and not left."""
        return bool(self._entered)

    async def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enters one more, and gives what it gives."""
        value = await context.__aenter__()
        self._entered.append(context)
        return value

    async def leave(self) -> None:
        """Leaves all that were entered; what has been left is not left again.

        Raises:
            ExceptionGroup: what leaving raised, after all were left.
        """
        entered, self._entered = self._entered, []
        leaving = (context.__aexit__(None, None, None) for context in entered)
        outcomes = await asyncio.gather(*leaving, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors:
            raise ExceptionGroup("some contexts could not be left", errors)


async def until_one_ends(*tasks: asyncio.Task[object]) -> None:
    """Waits until one task ends, ends the others, and raises what the first raised."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        try:
            task.result()
        except* IsthmusError as group:
            raise _first(group) from None


def _first(group: BaseExceptionGroup[IsthmusError]) -> IsthmusError:
    """The first of what several tasks failed for: one reason is what a person can act on."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
