from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlplane.store.compacting import keep_compacting
from controlplane.store.interface import CompactedError, Key, Put, Scope, Store, Txn, UnavailableError
from controlplane.store.sqlite import opened


class _OverError(Exception):
    """The test is over."""


async def _write(store: Store, number: int) -> None:
    for value in range(number):
        await store.write(Txn((Put(Key("r", "", "a"), b"%d" % value),)))


async def _oldest(store: Store) -> int:
    """The revision that the history begins at."""
    for revision in range(1, await store.revision()):
        try:
            await store.list(Scope(), limit=1, revision=revision)
        except CompactedError as gone:
            return gone.oldest
        return revision
    return await store.revision()


async def _run(store: Store, writes: Sequence[int], *, revisions: int) -> list[int]:
    """Where the history begins after each look, when so much is written between the looks."""
    oldest, waits, coming = list[int](), list[float](), iter(writes)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        oldest.append(await _oldest(store))
        number = next(coming, None)
        if number is None:
            raise _OverError
        await _write(store, number)

    with pytest.raises(_OverError):
        await keep_compacting(store, age_seconds=300, revisions=revisions, sleep=sleep)
    assert {30.0} == set(waits)
    return oldest


async def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    """Ten looks make the age: the history begins where the store stood ten looks ago."""
    async with opened(tmp_path / "a.db", lambda _: None, backups=tmp_path) as store:
        assert [1] * 10 + [1, 2, 3, 4] == await _run(store, [1] * 13, revisions=1000)


async def test_what_is_much_is_forgotten_sooner(tmp_path: Path) -> None:
    """No more revisions are kept than the number, however young they are."""
    async with opened(tmp_path / "a.db", lambda _: None, backups=tmp_path) as store:
        assert [1, 1, 51, 101] == await _run(store, [50, 50, 50], revisions=50)


async def test_a_store_that_is_not_there_is_tried_again() -> None:
    """A look that fails ends nothing."""
    looks = 0

    class Away:
        async def revision(self) -> int:
            raise UnavailableError("away")

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        if looks == 3:
            raise _OverError

    with pytest.raises(_OverError):
        await keep_compacting(Away(), age_seconds=10, revisions=5, sleep=sleep)
    assert looks == 3
