from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controlplane.process import Together


async def test_contexts_are_left_at_once() -> None:
    """None waits for another: each ends only when all have begun to end."""
    ending = asyncio.Barrier(3)

    @asynccontextmanager
    async def one(number: int) -> AsyncIterator[int]:
        yield number
        await ending.wait()

    async with Together() as together:
        given = [await together.enter(one(number)) for number in range(3)]
        assert together.entered
        await together.leave()
        assert not together.entered

    assert [0, 1, 2] == given


async def test_one_that_cannot_be_entered_lets_the_others_go() -> None:
    """Those before it are left, and it is never left."""
    left = []

    @asynccontextmanager
    async def one(number: int) -> AsyncIterator[None]:
        if number:
            raise OSError("taken")
        yield
        left.append(number)

    async with Together() as together:
        await together.enter(one(0))
        with pytest.raises(OSError, match="taken"):
            await together.enter(one(1))
        assert [] == left

    assert [0] == left


async def test_what_fails_at_its_end_is_told_after_all_have_ended() -> None:
    """Nobody is left behind for another's failure."""
    left = []

    @asynccontextmanager
    async def one(number: int) -> AsyncIterator[None]:
        yield
        left.append(number)
        if not number:
            raise OSError("broken")

    together = Together()
    for number in range(2):
        await together.enter(one(number))
    with pytest.raises(ExceptionGroup) as raised:
        await together.leave()

    assert [0, 1] == left
    assert ["broken"] == [str(error) for error in raised.value.exceptions]
