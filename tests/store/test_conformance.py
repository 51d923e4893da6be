"""What every store does: revisions, transactions, conflicts, pages, compaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing

import pytest

from controlplane.store.interface import (
    FIRST_REVISION,
    Batch,
    CompactedError,
    Conflict,
    Delete,
    Expect,
    Key,
    Put,
    Scope,
    Store,
    Stored,
    TooLargeError,
    Txn,
    UnavailableError,
    Written,
)

Opening = Callable[[], AbstractAsyncContextManager[Store]]


def _key(name: str, namespace: str = "", resource: str = "things") -> Key:
    return Key(resource, namespace, name)


async def _put(store: Store, *names: str, value: bytes = b"1") -> int:
    written = await store.write(Txn(tuple(Put(_key(name), value) for name in names)))
    assert isinstance(written, Written)
    return written.revision


async def _names(store: Store, revision: int | None = None) -> list[str]:
    return [item.key.name for item in (await store.list(Scope(), revision=revision)).items]


async def test_an_empty_store_is_at_the_first_revision(store: Store) -> None:
    """Revision 0 is none, so that clients may use it for "any"."""
    page = await store.list(Scope())

    assert FIRST_REVISION == await store.revision()
    assert ((), FIRST_REVISION, False) == (page.items, page.revision, page.more)


async def test_what_is_written_is_read(store: Store) -> None:
    """An object keeps its created revision when it is written again, and modified is the transaction's."""
    first = await _put(store, "a")
    second = await _put(store, "a", value=b"2")

    assert (FIRST_REVISION + 1, FIRST_REVISION + 2) == (first, second)
    assert Stored(_key("a"), b"2", first, second) == await store.get(_key("a"))
    assert await store.get(_key("b")) is None


async def test_a_transaction_is_one_revision(store: Store) -> None:
    """All objects written together have the same revision."""
    revision = await _put(store, "a", "b", "c")

    assert {revision} == {item.modified_revision for item in (await store.list(Scope())).items}


async def test_a_transaction_that_changes_nothing_takes_no_revision(store: Store) -> None:
    """Deleting what is not there is done without a trace."""
    revision = await _put(store, "a")

    assert Written(revision) == await store.write(Txn((Delete(_key("b")),)))
    assert revision == await store.revision()


async def test_an_object_made_anew_is_created_anew(store: Store) -> None:
    """After a deletion nothing of the old object is left."""
    await _put(store, "a")
    await store.write(Txn((Delete(_key("a")),)))
    revision = await _put(store, "a")

    assert Stored(_key("a"), b"1", revision, revision) == await store.get(_key("a"))


@pytest.mark.parametrize("expected", [0, 1, 99])
async def test_another_revision_than_expected_is_a_conflict(store: Store, expected: int) -> None:
    """Nothing is written, and the answer holds what stands there."""
    revision = await _put(store, "a")
    result = await store.write(
        Txn((Put(_key("b"), b"2"), Put(_key("a"), b"2")), (Expect(_key("a"), expected), Expect(_key("b"), 0)))
    )

    assert Conflict(((_key("a"), Stored(_key("a"), b"1", revision, revision)),)) == result
    assert await store.get(_key("b")) is None
    assert revision == await store.revision()


async def test_an_object_that_is_gone_is_a_conflict(store: Store) -> None:
    """The answer says that there is none."""
    result = await store.write(Txn((Put(_key("a"), b"2"),), (Expect(_key("a"), 7),)))

    assert Conflict(((_key("a"), None),)) == result


async def test_what_stands_as_expected_is_written(store: Store) -> None:
    """The right revision, and 0 for what shall be new; conditions on what is not written count too."""
    revision = await _put(store, "a", "c")
    result = await store.write(
        Txn(
            (Put(_key("a"), b"2"), Put(_key("b"), b"2")),
            (Expect(_key("a"), revision), Expect(_key("b"), 0), Expect(_key("c"), revision)),
        )
    )

    assert Written(revision + 1) == result


async def test_of_writers_that_expect_the_same_one_wins(store: Store) -> None:
    """Twenty writers at once from one revision: one is written, the others see the winner."""
    revision = await _put(store, "a")
    results = await asyncio.gather(
        *(store.write(Txn((Put(_key("a"), b"%d" % number),), (Expect(_key("a"), revision),))) for number in range(20))
    )

    assert [Written(revision + 1)] == [result for result in results if isinstance(result, Written)]
    assert {revision + 1} == {
        stored.modified_revision
        for result in results
        if isinstance(result, Conflict)
        for _, stored in result.current
        if stored is not None
    }


async def test_writers_at_once_get_a_revision_each(store: Store) -> None:
    """Two hundred writes that wait together are two hundred revisions in a row."""
    revisions = await asyncio.gather(*(_put(store, f"n{number}") for number in range(200)))

    assert list(range(FIRST_REVISION + 1, FIRST_REVISION + 201)) == sorted(revisions)


async def test_too_much_at_once_is_refused(store: Store) -> None:
    """More writes or bytes than the limits: an error of its own, and nothing is written."""
    with pytest.raises(TooLargeError, match="129 writes"):
        await _put(store, *(f"n{number}" for number in range(129)))
    with pytest.raises(TooLargeError, match="1600000 bytes"):
        await _put(store, "a", value=b"x" * 1_600_000)

    assert FIRST_REVISION == await store.revision()


@pytest.mark.parametrize("key", [_key("a/b"), _key("a\0"), _key(""), _key("a", resource=""), _key("a\ud800")])
def test_a_key_that_cannot_be_kept_is_refused(key: Key) -> None:
    """A slash, NUL, half a character, or nothing at all."""
    with pytest.raises(ValueError, match=r"slash|no name|no resource|surrogates"):
        Txn((Put(key, b""),))


def test_a_key_is_written_once_in_a_transaction() -> None:
    """Which of two values is meant cannot be told."""
    with pytest.raises(ValueError, match="written twice"):
        Txn((Put(_key("a"), b"1"), Delete(_key("a"))))


def test_values_are_never_shown() -> None:
    """A value may be a Secret."""
    assert "hidden" not in repr((Put(_key("a"), b"hidden"), Stored(_key("a"), b"hidden", 1, 1)))


async def test_a_scope_holds_one_resource_or_namespace(store: Store) -> None:
    """Names that begin alike are kept apart."""
    keys = [_key("a"), _key("a", "n"), _key("a", "n-1"), _key("a", "n", "things.example.com")]
    await store.write(Txn(tuple(Put(key, b"1") for key in keys)))

    async def found(scope: Scope) -> set[Key]:
        return {item.key for item in (await store.list(scope)).items}

    assert set(keys) == await found(Scope())
    assert set(keys[:3]) == await found(Scope("things"))
    assert {keys[1]} == await found(Scope("things", "n"))
    assert {keys[0]} == await found(Scope("things", ""))


async def test_pages_are_of_one_revision(store: Store) -> None:
    """What is written and deleted between the pages changes none of them."""
    names = [f"n{number}" for number in range(10)]
    revision = await _put(store, *names)
    page = await store.list(Scope("things"), limit=4)
    seen = list(page.items)
    while page.more:
        await store.write(Txn((Put(_key(f"x{len(seen)}"), b"1"), *(Delete(_key(name)) for name in names))))
        page = await store.list(Scope("things"), limit=4, revision=page.revision, after=seen[-1].key)
        seen += page.items

    assert sorted(names) == sorted(item.key.name for item in seen)
    assert {revision} == {item.modified_revision for item in seen}


async def test_the_past_is_read_until_it_is_compacted(store: Store) -> None:
    """Lists and gets at a revision show what stood then; before the compaction they are refused."""
    first = await _put(store, "a")
    second = await _put(store, "b", value=b"2")
    third = await _put(store, "b", value=b"3")
    await store.write(Txn((Delete(_key("a")),)))
    await store.compact(second)

    assert ["a", "b"] == await _names(store, second)
    assert Stored(_key("b"), b"2", second, second) == await store.get(_key("b"), revision=second)
    assert Stored(_key("a"), b"1", first, first) == await store.get(_key("a"), revision=third)
    assert ["b"] == await _names(store)
    with pytest.raises(CompactedError) as gone:
        await _names(store, first)
    assert (first, second) == (gone.value.revision, gone.value.oldest)
    with pytest.raises(CompactedError):
        await store.get(_key("a"), revision=first)


async def test_a_revision_that_is_not_yet_is_refused(store: Store) -> None:
    """It is of another history, as before a restore: the caller lists anew."""
    revision = await _put(store, "a")

    with pytest.raises(CompactedError):
        await store.list(Scope(), revision=revision + 1)


async def test_compaction_keeps_what_is_in_force(store: Store) -> None:
    """An object that was never written again outlives every compaction; to compact twice or too far does nothing."""
    first = await _put(store, "a")
    for value in range(1200):
        await _put(store, "b", value=b"%d" % value)
    last = await store.revision()
    await store.compact(last)
    await store.compact(first)
    await store.compact(last + 5)

    assert ["a", "b"] == await _names(store, last)
    assert Stored(_key("a"), b"1", first, first) == await store.get(_key("a"))
    with pytest.raises(CompactedError):
        await _names(store, last - 1)


async def test_a_store_is_the_same_after_it_was_closed(opening: Opening) -> None:
    """Objects, revisions and history are there when it is opened again; revisions go on."""
    async with opening() as store:
        first = await _put(store, "a")
        second = await _put(store, "a", value=b"2")
        await store.compact(first)
    async with opening() as store:
        assert Stored(_key("a"), b"2", first, second) == await store.get(_key("a"))
        assert Stored(_key("a"), b"1", first, first) == await store.get(_key("a"), revision=first)
        assert second + 1 == await _put(store, "b")


async def test_the_history_is_the_same_after_it_was_closed(opening: Opening) -> None:
    """Creations, changes, deletions and creations anew are told with the same befores, live and from the history."""
    writes = (Put(_key("a"), b"1"), Put(_key("a"), b"2"), Delete(_key("a")), Put(_key("a"), b"3"))

    async def told(store: Store) -> list[Batch]:
        async with aclosing(store.watch(Scope(), after=FIRST_REVISION)) as watch:
            return [await anext(watch) for _ in writes]

    async with opening() as store:
        for write in writes:
            await store.write(Txn((write,)))
        live = await told(store)
    async with opening() as store:
        assert live == await told(store)
    befores = [event.before and event.before.value for batch in live for event in batch.events]
    assert [None, b"1", b"2", None] == befores


async def test_a_closed_store_says_so(opening: Opening) -> None:
    """Who asks too late is refused, and does not wait."""
    async with opening() as store:
        pass

    with pytest.raises(UnavailableError, match="closed"):
        await _put(store, "a")
    with pytest.raises(UnavailableError, match="closed"):
        await store.get(_key("a"))
