"""Who is told what of conditions, and when anybody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from controlplane.configapi.conditions import Conditions
from controlplane.configapi.standings import Standings
from controlplane.model.apiservice import Condition
from controlplane.model.change import ObjectKey

A, B = ObjectKey("APIService", "", "a"), ObjectKey("APIService", "", "b")


@dataclass(frozen=True)
class Counted:
    """A standing that says which look it is of; `names` stand otherwise than before."""

    number: int
    names: tuple[ObjectKey, ...]

    def __call__(self, key: ObjectKey) -> Conditions:
        """The number, as a condition."""
        return ((key.name, Condition(reason=str(self.number))),)

    def looked(self) -> Counted:
        """It looks at nothing later."""
        return self

    def differing(self, before: Counted) -> Iterable[ObjectKey]:
        """What is told."""
        assert before.number < self.number
        return self.names


class World:
    """What is looked at; a look comes when it is let."""

    def __init__(self) -> None:
        self.looks = 0
        self.pausing = asyncio.Event()
        self._names: tuple[ObjectKey, ...] = ()
        self._pauses: asyncio.Queue[None] = asyncio.Queue()
        self.standings = Standings(self._look, self._pause)

    def _look(self) -> Counted:
        self.looks += 1
        return Counted(self.looks, self._names)

    async def _pause(self) -> None:
        self.pausing.set()
        await self._pauses.get()

    async def looked(self, *names: ObjectKey) -> None:
        """Lets one look find that these stand otherwise."""
        await self.pausing.wait()
        self._names = names
        self.pausing.clear()
        self._pauses.put_nowait(None)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A running one."""
    made = World()
    running = asyncio.create_task(made.standings.run())
    try:
        yield made
    finally:
        running.cancel()


async def test_nobody_looks_while_nobody_watches() -> None:
    """After the look that was waited for when the last watcher left there is no other."""
    async with world() as here:
        with here.standings.changes():
            await here.looked()
            await here.pausing.wait()
        before = here.looks
        await here.looked()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.pausing.wait(), 0.05)

        assert before + 1 == here.looks


async def test_every_watcher_is_told_of_an_object_once() -> None:
    """Whatever changed before it asks is told together, in order, and shown as it was looked at last."""
    async with world() as here:
        with here.standings.changes() as one, here.standings.changes() as other:
            await here.looked(B)
            quick = await one.next()
            await here.looked(B, A)
            await one.next()
            slow = await other.next()
            shown = one.shown(A)

    assert ([B], [A, B]) == (quick, slow)
    assert str(here.looks) == shown[0][1].reason


async def test_a_watcher_that_comes_later_hears_what_comes_later() -> None:
    """Not what was told before it came."""
    async with world() as here:
        with here.standings.changes() as earlier:
            await here.looked(A)
            await earlier.next()
            with here.standings.changes() as later:
                await here.looked(B)
                told = await later.next()

    assert [B] == told


@dataclass
class Late:
    """A standing that looks when it is asked, unless it has `looked` before; `world` has one number."""

    world: list[int]
    seen: int | None = None

    def __call__(self, key: ObjectKey) -> Conditions:
        """The number that was seen, as a condition."""
        return ((key.name, Condition(reason=str(self.seen))),)

    def looked(self) -> Late:
        """What it would see now."""
        return Late(self.world, self.world[0])

    def differing(self, before: Late) -> Iterable[ObjectKey]:
        """A, when another number was seen before."""
        now, then = (each.looked() if each.seen is None else each for each in (self, before))
        return (A,) if now.seen != then.seen else ()


async def test_what_changes_before_the_first_look_is_told() -> None:
    """A watcher that was shown nothing yet is told from the moment on at which it began."""
    number, pauses = [0], asyncio.Queue[None]()
    standings = Standings(lambda: Late(number), pauses.get)
    running = asyncio.create_task(standings.run())
    with standings.changes() as changes:
        number[0] = 1
        pauses.put_nowait(None)
        told = await asyncio.wait_for(changes.next(), 5)
    running.cancel()

    assert [A] == told
