"""What every store tells its watchers: every transaction once, whole, in order, from wherever they resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing

import pytest

from controlplane.store.interface import (
    Batch,
    CompactedError,
    Delete,
    Event,
    Key,
    Put,
    Scope,
    Store,
    Stored,
    Txn,
    UnavailableError,
    Written,
)

A, B, C = Key("things", "", "a"), Key("things", "n", "b"), Key("others", "", "c")
PATIENCE_SECONDS = 20
WATCHERS, CHANGES, CUT = 100, 1000, 10


async def _write(store: Store, *writes: Put | Delete) -> int:
    written = await store.write(Txn(writes))
    assert isinstance(written, Written)
    return written.revision


async def _next(watch: AsyncIterator[Batch]) -> Batch:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(watch)


async def _take(watch: AsyncIterator[Batch], number: int) -> list[Batch]:
    """The next batches with events."""
    batches: list[Batch] = []
    while len(batches) < number:
        batch = await _next(watch)
        if batch.events:
            batches.append(batch)
    return batches


async def test_a_transaction_comes_as_one_batch(store: Store) -> None:
    """Events are in the order of the writes, each with what was before."""
    first = await _write(store, Put(A, b"1"))
    async with aclosing(store.watch(Scope(), after=first)) as watch:
        second = await _write(store, Put(B, b"2"), Put(A, b"2"), Delete(C))
        third = await _write(store, Delete(A))
        batches = await _take(watch, 2)

    before, now = Stored(A, b"1", first, first), Stored(A, b"2", first, second)
    assert [
        Batch(second, (Event(B, Stored(B, b"2", second, second), None), Event(A, now, before))),
        Batch(third, (Event(A, None, now),)),
    ] == batches


async def test_history_and_news_are_one_stream(store: Store) -> None:
    """A watch from an old revision goes over into what happens now without a gap or a repetition."""
    first = await store.revision()
    revisions = [await _write(store, Put(A, b"%d" % number)) for number in range(700)]
    async with aclosing(store.watch(Scope(), after=first)) as watch:
        seen = [batch.revision for batch in await _take(watch, 300)]
        revisions += [await _write(store, Put(A, b"x")), await _write(store, Delete(A))]
        seen += [batch.revision for batch in await _take(watch, 402)]

    assert revisions == seen


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        (Scope(), [A, B, C]),
        (Scope("things"), [A, B]),
        (Scope("things", "n"), [B]),
        (Scope("things", ""), [A]),
        (Scope("others"), [C]),
    ],
)
async def test_only_what_is_in_scope_is_told(store: Store, scope: Scope, keys: list[Key]) -> None:
    """From the history and as news, of a transaction with others too."""
    first = await store.revision()
    await _write(store, Put(A, b"1"), Put(B, b"1"), Put(C, b"1"))
    async with aclosing(store.watch(scope, after=first)) as watch:
        history = await _take(watch, 1)
        await _write(store, Delete(A), Delete(B), Delete(C))
        news = await _take(watch, 1)

    assert [keys, keys] == [[event.key for event in batch.events] for batch in (*history, *news)]


async def test_progress_is_marked(store: Store) -> None:
    """A watch in whose scope nothing happens hears how far the store has come, once."""
    first = await store.revision()
    async with aclosing(store.watch(Scope("none"), after=first)) as watch:
        revision = await _write(store, Put(A, b"1"))
        mark = await _next(watch)
        waiting = asyncio.ensure_future(_next(watch))
        revision_after = await _write(store, Put(Key("none", "", "x"), b"1"))
        following = await waiting

    assert Batch(revision, ()) == mark
    assert (revision_after, 1) == (following.revision, len(following.events))


async def test_a_watch_after_a_list_misses_nothing(store: Store) -> None:
    """List and watch from its revision, while others write: what both say is what is there in the end."""

    async def writing() -> None:
        for number in range(300):
            await _write(store, Put(Key("things", "", f"n{number}"), b"1"))

    writer = asyncio.create_task(writing())
    await _write(store, Put(A, b"1"))
    for _ in range(10):
        page = await store.list(Scope())
        seen = {item.key for item in page.items}
        async with aclosing(store.watch(Scope(), after=page.revision)) as watch:
            for batch in await _take(watch, 5):
                assert seen.isdisjoint(event.key for event in batch.events)
                seen |= {event.key for event in batch.events}
        assert {item.key for item in (await store.list(Scope(), revision=batch.revision)).items} == seen
    await writer


async def test_a_watch_from_a_forgotten_revision_is_refused(store: Store) -> None:
    """From the compacted revision itself it is not."""
    first = await _write(store, Put(A, b"1"))
    second = await _write(store, Put(A, b"2"))
    third = await _write(store, Delete(A))
    await store.compact(second)

    async with aclosing(store.watch(Scope(), after=second)) as watch:
        assert Batch(third, (Event(A, None, Stored(A, b"2", first, second)),)) == await _next(watch)
    async with aclosing(store.watch(Scope(), after=first)) as watch:
        with pytest.raises(CompactedError) as gone:
            await _next(watch)
    assert second == gone.value.oldest


async def test_a_watch_from_a_revision_that_is_not_yet_is_refused(store: Store) -> None:
    """It is of another history, and would wait for what others take for something else."""
    async with aclosing(store.watch(Scope(), after=await store.revision() + 1)) as watch:
        with pytest.raises(CompactedError):
            await _next(watch)


async def test_a_watcher_that_is_too_slow_is_told(store: Store) -> None:
    """What it has not taken is compacted: it gets no part of it, but an error."""
    first = await store.revision()
    async with aclosing(store.watch(Scope(), after=first)) as watch:
        await _write(store, Put(A, b"0"))
        await _take(watch, 1)
        for number in range(1000):
            await _write(store, Put(A, b"%d" % number))
        await store.compact(await store.revision())

        with pytest.raises(CompactedError):
            await _take(watch, 1000)


async def test_a_watch_ends_with_its_store(opening: Callable[[], AbstractAsyncContextManager[Store]]) -> None:
    """A watcher that waits when the store is closed hears of it."""
    async with opening() as store:
        watch = store.watch(Scope(), after=await store.revision())
        waiting = asyncio.ensure_future(_next(watch))
        await asyncio.wait({waiting}, timeout=0)

    with pytest.raises(UnavailableError, match="closed"):
        await waiting


async def test_a_hundred_watchers_lose_nothing(store: Store) -> None:
    """A thousand changes to a hundred watchers, each cut ten times and resumed: every change once, in order."""
    first = await store.revision()

    async def watching(number: int) -> list[int]:
        seen, after = list[int](), first
        for cut in range(1, CUT + 1):
            # Each is cut at places of its own.
            end = CHANGES if cut == CUT else cut * CHANGES // CUT - number % 50
            async with aclosing(store.watch(Scope("things"), after=after)) as watch:
                for batch in await _take(watch, end - len(seen)):
                    seen.append(batch.revision)
                    after = batch.revision
        return seen

    watchers = [asyncio.create_task(watching(number)) for number in range(WATCHERS)]
    revisions = [await _write(store, Put(A, b"%d" % number)) for number in range(CHANGES)]

    assert [revisions] * WATCHERS == await asyncio.gather(*watchers)
