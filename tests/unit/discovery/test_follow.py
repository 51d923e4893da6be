"""The rhythm of attempts."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from controlplane.discovery.follow import Lanes, Server, follow, pause

_SECONDS = 60.0


class _EnoughError(Exception):
    """Ends a rhythm that has been heard long enough."""


async def _delays(outcomes: Iterable[str]) -> list[float]:
    """The pauses after attempts with these outcomes ("" is success)."""
    remaining = list(outcomes)
    delays: list[float] = []

    async def attempt() -> str:
        return remaining.pop(0)

    async def note(_: asyncio.Event, seconds: float) -> None:
        delays.append(seconds)
        if not remaining:
            raise _EnoughError

    with pytest.raises(_EnoughError):
        await follow(Server("web", attempt, lambda: None, _SECONDS), Lanes(), note)
    return delays


async def test_failures_are_followed_by_ever_longer_pauses_and_success_by_a_minute() -> None:
    """Half a second, doubled up to a minute, and from the start again after a success."""
    assert await _delays(["down"] * 9) == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert await _delays(["", "down", "down", "", "down"]) == [60, 0.5, 1, 60, 0.5]


async def test_a_poke_ends_a_pause() -> None:
    """A changed registration does not wait for the minute to pass."""
    poked = asyncio.Event()
    waiting = asyncio.create_task(pause(poked, _SECONDS))
    poked.set()

    async with asyncio.timeout(_SECONDS / 10):
        await waiting


async def test_a_pause_ends_by_itself() -> None:
    """Nobody needs to poke."""
    await pause(asyncio.Event(), 0)


async def test_a_poke_during_an_attempt_makes_another_follow() -> None:
    """What changed meanwhile may not be in the answer."""
    attempts = 0

    async def attempt() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            server.poked.set()
        return ""

    async def stop_unless_poked(poked: asyncio.Event, _: float) -> None:
        if not poked.is_set():
            raise _EnoughError

    server = Server("web", attempt, lambda: None, _SECONDS)
    with pytest.raises(_EnoughError):
        await follow(server, Lanes(), stop_unless_poked)

    assert attempts == 2


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    """After the grace the server is presumed stale, though its attempt goes on."""
    presumed = asyncio.Event()

    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    following = asyncio.create_task(follow(Server("web", hang, presumed.set, 0), Lanes(), pause))
    async with asyncio.timeout(_SECONDS):
        await presumed.wait()

    assert not following.done()
    following.cancel()


async def test_a_defect_of_our_own_counts_as_a_failure() -> None:
    """Discovery of the other servers goes on, and this one is tried again."""
    presumed: list[bool] = []

    async def defective() -> str:
        raise KeyError("defect")

    async def note(_: asyncio.Event, seconds: float) -> None:
        assert seconds == 0.5
        raise _EnoughError

    with pytest.raises(_EnoughError):
        await follow(Server("web", defective, lambda: presumed.append(True), _SECONDS), Lanes(), note)

    assert presumed == [True]


async def test_servers_that_failed_do_not_take_the_places_of_others() -> None:
    """With every place for doubtful servers taken by one that hangs, a healthy one is asked all the same."""
    lanes = Lanes(asyncio.Semaphore(1), asyncio.Semaphore(1))
    hanging, answered = asyncio.Event(), asyncio.Event()
    outcomes = ["down"]

    async def fail_then_hang() -> str:
        if outcomes:
            return outcomes.pop()
        hanging.set()
        await asyncio.Event().wait()
        return ""

    async def answer() -> str:
        answered.set()
        return ""

    async def at_once(_: asyncio.Event, __: float) -> None:
        await asyncio.sleep(0)

    def started(attempt: Callable[[], object], waiting: object) -> asyncio.Task[None]:
        return asyncio.create_task(follow(Server("web", attempt, lambda: None, _SECONDS), lanes, waiting))

    dead = started(fail_then_hang, at_once)
    async with asyncio.timeout(_SECONDS):
        await hanging.wait()
        living = started(answer, pause)
        await answered.wait()

    for task in (dead, living):
        task.cancel()


async def test_nobody_is_asked_while_the_lanes_are_closed() -> None:
    """What closes them is waited for, whatever else is ready; meanwhile the server is presumed stale as ever."""
    asked, presumed = asyncio.Event(), asyncio.Event()
    closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lanes = Lanes()
    lanes.closed_by.add(closing)
    closing.add_done_callback(lanes.closed_by.discard)

    async def attempt() -> str:
        asked.set()
        return ""

    following = asyncio.create_task(follow(Server("web", attempt, presumed.set, 0), lanes, pause))
    await presumed.wait()
    before = asked.is_set()
    closing.set_result(None)
    await asked.wait()
    following.cancel()

    assert not before
