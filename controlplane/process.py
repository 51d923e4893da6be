"""What a process is told by its operating system, and how it ends.

In: signals, tasks. Out: an event when it shall end, and the first reason for which a part of it failed. Law: when one
part ends, all end.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from controlplane.aio import Watchable
from controlplane.errors import IsthmusError
from controlplane.snapshot.snapshot import Snapshot

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
async def collecting_seldom(published: Watchable[Snapshot | None]) -> AsyncIterator[None]:
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
