"""A second event loop, in a thread of its own."""

import asyncio
import threading

import pytest

from controlplane.discovery import aside as module
from controlplane.discovery.aside import Aside, aside


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


async def test_work_goes_on_when_nobody_waits_any_more() -> None:
    """Cancelling the wait on the first loop leaves the work alone, which has a time limit of its own."""
    started, go, done = threading.Event(), asyncio.Event(), threading.Event()

    async def work() -> None:
        started.set()
        await go.wait()
        done.set()

    async def release() -> None:
        go.set()

    async with aside("second") as second:
        waiting = asyncio.create_task(second.run(work()))
        await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await second.run(release())

        assert await asyncio.to_thread(done.wait, 10)


async def test_work_that_does_not_end_is_cut_off_with_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """What still waits when the second loop ends is cancelled."""
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.05)
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
        await asyncio.gather(waiting, return_exceptions=True)

    assert cancelled.is_set()


async def test_the_thread_ends_with_the_context() -> None:
    """After the context there is no thread left of it."""
    async with aside("second"):
        during = {thread.name for thread in threading.enumerate()}
    after = {thread.name for thread in threading.enumerate()}

    assert "second" in during
    assert "second" not in after


async def test_a_start_that_is_cancelled_leaves_no_thread() -> None:
    """Cancelled at once, or while the thread starts, the context ends the thread like any other."""

    async def enter() -> None:
        async with aside("cancelled"):
            await asyncio.Event().wait()

    for rounds in range(30):
        entering = asyncio.create_task(enter())
        for _ in range(rounds % 3):
            await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    assert "cancelled" not in {thread.name for thread in threading.enumerate()}


async def test_what_was_opened_is_closed_on_the_second_loop() -> None:
    """What asks for it at the end is called there, after everything else and before the thread is gone."""
    closed: list[str] = []

    async def close() -> None:
        closed.append(threading.current_thread().name)

    async def open_it(second: Aside) -> None:
        second.at_end(close)

    async with aside("second") as second:
        await second.run(open_it(second))
        during = list(closed)

    assert ([], ["second"]) == (during, closed)
