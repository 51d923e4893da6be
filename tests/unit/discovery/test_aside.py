"""A second event loop, in a thread of its own."""

import asyncio
import threading

import pytest

from controlplane.discovery.aside import aside


async def _thread_name() -> str:
    return threading.current_thread().name


async def _refuse() -> None:
    raise ValueError("refused")


async def test_work_runs_in_the_other_thread() -> None:
    """A coroutine runs in the thread of the second loop, and its result comes back to the first."""
    async with aside("second") as second:
        name = await second.run(_thread_name())

    assert name == "second"


async def test_an_error_is_raised_where_the_work_was_asked_for() -> None:
    """What a coroutine raises on the second loop is raised to whoever waits for it on the first."""
    async with aside("second") as second:
        with pytest.raises(ValueError, match="refused"):
            await second.run(_refuse())


async def test_whoever_stops_waiting_cancels_the_work() -> None:
    """Cancelling the wait on the first loop cancels the coroutine on the second."""
    started, cancelled = threading.Event(), threading.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with aside("second") as second:
        waiting = asyncio.create_task(second.run(endless()))
        await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert await asyncio.to_thread(cancelled.wait, 10)


async def test_the_thread_ends_with_the_context() -> None:
    """After the context there is no thread left of it."""
    async with aside("second"):
        during = {thread.name for thread in threading.enumerate()}
    after = {thread.name for thread in threading.enumerate()}

    assert "second" in during
    assert "second" not in after
