from __future__ import annotations

import asyncio

import pytest

from controlplane.auth.webhook.shared import Shared


class Call:
    """A call that ends when the test says so, and counts how often it began and was given up."""

    def __init__(self) -> None:
        self.began = 0
        self.given_up = 0
        self.started = asyncio.Event()
        self.end = asyncio.Event()

    async def __call__(self) -> int:
        """Which call it was."""
        self.began += 1
        number = self.began
        self.started.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return number


async def test_askers_at_one_time_share_a_call() -> None:
    """One call answers all, and the next asker begins another."""
    shared: Shared[int] = Shared()
    call = Call()
    askers = [asyncio.create_task(shared.ask(b"k", call)) for _ in range(3)]
    await call.started.wait()
    call.end.set()

    answers = await asyncio.gather(*askers)
    later = await shared.ask(b"k", call)

    assert ([1, 1, 1], 2) == (answers, later)


async def test_other_keys_are_other_calls() -> None:
    """Nobody gets the answer to another question."""
    shared: Shared[int] = Shared()
    call = Call()
    call.end.set()

    answers = await asyncio.gather(shared.ask(b"1", call), shared.ask(b"2", call))

    assert [1, 2] == answers


async def test_the_call_goes_on_while_somebody_waits() -> None:
    """One asker's leaving takes nothing from the other."""
    shared: Shared[int] = Shared()
    call = Call()
    leaving, staying = (asyncio.create_task(shared.ask(b"k", call)) for _ in range(2))
    await call.started.wait()

    leaving.cancel()
    await asyncio.wait({leaving})
    call.end.set()

    assert 1 == await staying
    assert 0 == call.given_up


async def test_a_call_nobody_waits_for_is_given_up() -> None:
    """When the last asker leaves the call ends, and whoever asks then begins a new one."""
    shared: Shared[int] = Shared()
    call = Call()
    asker = asyncio.create_task(shared.ask(b"k", call))
    await call.started.wait()

    asker.cancel()
    await asyncio.wait({asker})
    call.end.set()
    answer = await shared.ask(b"k", call)

    assert (2, 1) == (answer, call.given_up)


async def test_a_failing_call_fails_for_all() -> None:
    """An exception reaches every asker."""
    shared: Shared[int] = Shared()

    async def fail() -> int:
        raise RuntimeError("broken")

    outcomes = await asyncio.gather(*(shared.ask(b"k", fail) for _ in range(2)), return_exceptions=True)

    assert ["broken", "broken"] == [str(outcome) for outcome in outcomes]


async def test_the_end_of_all_calls_can_be_waited_for() -> None:
    """It comes when no call is under way, and at once when there is none."""
    shared: Shared[int] = Shared()
    call = Call()
    asker = asyncio.create_task(shared.ask(b"k", call))
    await call.started.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await shared.ended()
    call.end.set()
    await shared.ended()

    assert asker.done()
