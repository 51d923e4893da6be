"""Objects of a real store as Changes: what is said at the start, of each transaction, and of what does not hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from listening import Listener

from controlplane.model.change import Change, Delete, ObjectKey, Synced, Upsert
from controlplane.sources import stored
from controlplane.sources.stored import RESOURCES, StoredSource
from controlplane.store import interface
from controlplane.store.interface import Key, Page, Put, Scope, Store, Txn, UnavailableError, Written
from controlplane.store.sqlite import opened

ROLES = "clusterroles.rbac.authorization.k8s.io"
CLUSTER_ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with opened(tmp_path / "isthmus.db", lambda _: None, backups=tmp_path) as made:
        yield made


def _role(name: str, verb: str = "get") -> Put:
    manifest = CLUSTER_ROLE | {
        "metadata": {"name": name, "resourceVersion": "7", "managedFields": []},
        "rules": [{"verbs": [verb], "nonResourceURLs": ["/x"]}],
    }
    return Put(Key(ROLES, "", name), orjson.dumps(manifest))


def _service(name: str) -> Put:
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {"ports": [{"port": 443}]},
    }
    return Put(Key("services", "n", name), orjson.dumps(manifest))


def _key(name: str) -> ObjectKey:
    return ObjectKey("ClusterRole", "", name)


def _listening(store: Store) -> Listener:
    return Listener(lambda report: StoredSource(store, report))


def _upserts(changes: tuple[Change, ...]) -> list[ObjectKey]:
    assert all(isinstance(change, Upsert) for change in changes)
    return [change.key for change in changes if isinstance(change, Upsert)]


async def _write(store: Store, *writes: Put | interface.Delete) -> int:
    written = await store.write(Txn(writes))
    assert isinstance(written, Written)
    return written.revision


async def test_all_there_is_then_synced(store: Store) -> None:
    """More than one page of objects is one batch; with nothing wrong nothing is reported."""
    for first in range(0, 600, 100):
        await _write(store, *(_role(f"r{number:03}") for number in range(first, first + 100)))
    async with _listening(store) as listener:
        said = await listener.next()
        synced = await listener.next()

        assert [_key(f"r{number:03}") for number in range(600)] == _upserts(said)
        assert (Synced("store"),) == synced
        assert listener.silent


async def test_an_empty_store_is_synced_at_once(store: Store) -> None:
    """There is nothing to say, and that is said."""
    async with _listening(store) as listener:
        assert (Synced("store"),) == await listener.next()


async def test_a_transaction_is_one_batch(store: Store) -> None:
    """Objects of several kinds written and deleted together come out together."""
    await _write(store, _role("old"))
    async with _listening(store) as listener:
        await listener.next()
        await listener.next()
        await _write(store, _role("a"), _service("s"), interface.Delete(Key(ROLES, "", "old")))
        created, deleted, service = await listener.next()

        assert isinstance(created, Upsert)
        assert isinstance(service, Upsert)
        assert (_key("a"), ObjectKey("Service", "n", "s")) == (created.key, service.key)
        assert Delete(_key("old")) == deleted


async def test_an_object_that_stays_equal_is_not_said_again(store: Store) -> None:
    """A write that changes nothing that is read, such as a status, is no Change."""
    async with _listening(store) as listener:
        await listener.next()
        await _write(store, _role("a"))
        await listener.next()
        await _write(store, _role("a"))
        await _write(store, _role("b"))

        assert [_key("b")] == _upserts(await listener.next())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[1]", "is not a mapping"),
        (b"{}", "Required value"),
        (orjson.dumps(CLUSTER_ROLE | {"metadata": 5}), "must be a mapping"),
        (orjson.dumps(CLUSTER_ROLE | {"metadata": {"name": "bad"}, "rules": [{}]}), "Required value"),
    ],
)
async def test_a_bad_object_is_its_own_problem(store: Store, value: bytes, message: str) -> None:
    """Others in the same transaction go through, what was in force under its key stays, and mending it ends it."""
    async with _listening(store) as listener:
        await listener.next()
        await _write(store, _role("bad"))
        await listener.next()
        await _write(store, Put(Key(ROLES, "", "bad"), value), _role("good"))
        said, problems = await listener.next(), await listener.report()
        await _write(store, _role("bad", "list"))

        assert [_key("good")] == _upserts(said)
        assert any(message in problem.message for problem in problems)
        assert {f"store {ROLES}/bad"} == {problem.origin.path for problem in problems}
        assert [_key("bad")] == _upserts(await listener.next())
        assert await listener.report() == ()


async def test_a_bad_object_that_is_deleted_is_gone(store: Store) -> None:
    """With it go its Problem and what was in force."""
    await _write(store, _role("bad"))
    async with _listening(store) as listener:
        await listener.next()
        await listener.next()
        await _write(store, Put(Key(ROLES, "", "bad"), b"{"))
        await listener.report()
        await _write(store, interface.Delete(Key(ROLES, "", "bad")))

        assert (Delete(_key("bad")),) == await listener.next()
        assert await listener.report() == ()


async def test_other_resources_are_none_of_ours(store: Store) -> None:
    """What the pipeline does not read is passed over without a word."""
    await _write(store, Put(Key("secrets", "n", "s"), b"no JSON"))
    async with _listening(store) as listener:
        assert (Synced("store"),) == await listener.next()
        await _write(store, Put(Key("secrets", "n", "s"), b"no JSON either"))
        await _write(store, _role("a"))

        assert [_key("a")] == _upserts(await listener.next())
        assert listener.silent
    assert "secrets" not in RESOURCES


class Unsteady:
    """A store that cannot be read when told so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = False

    async def list(
        self, scope: Scope, *, limit: int = 500, revision: int | None = None, after: Key | None = None
    ) -> Page:
        """A page, or none."""
        if self.away:
            raise UnavailableError("the disk is away")
        return await self._store.list(scope, limit=limit, revision=revision, after=after)

    async def watch(self, scope: Scope, *, after: int) -> AsyncIterator[interface.Batch]:
        """The first transaction; then it breaks."""
        async for batch in self._store.watch(scope, after=after):
            yield batch
            self.away = True
            raise UnavailableError("the disk is away")


async def test_a_store_that_is_away_changes_nothing_but_the_problems(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said stays; when it is back, only what is different is said, deletions too."""
    monkeypatch.setattr(stored, "_RETRY_SECONDS", 0.05)
    unsteady = Unsteady(store)
    await _write(store, _role("a"), _role("b"))
    async with Listener(lambda report: StoredSource(unsteady, report)) as listener:
        await listener.next()
        await listener.next()
        await _write(store, _role("a", "list"))
        changed, [problem] = await listener.next(), await listener.report()
        await _write(store, interface.Delete(Key(ROLES, "", "a")), _role("c"))
        unsteady.away = False
        after, solved = await listener.next(), await listener.report()

        assert [_key("a")] == _upserts(changed)
        assert problem.message == "cannot be read: the disk is away"
        assert (Delete(_key("a")), _key("c")) == (after[0], *_upserts(after[1:]))
        assert solved == ()


async def test_a_source_that_fell_behind_lists_anew(store: Store) -> None:
    """When the history it needed is forgotten it says what is different, once."""

    class Slow(Unsteady):
        slept = False

        async def watch(self, scope: Scope, *, after: int) -> AsyncIterator[interface.Batch]:
            # As if the source had slept between its first list and its watch.
            if not self.slept:
                self.slept = True
                await _write(store, _role("a", "list"))
                await _write(store, interface.Delete(Key(ROLES, "", "b")))
                await store.compact(await store.revision())
            async for batch in store.watch(scope, after=after):
                yield batch

    await _write(store, _role("a"), _role("b"))
    async with Listener(lambda report: StoredSource(Slow(store), report)) as listener:
        await listener.next()
        await listener.next()
        changed, deleted = await listener.next()

        assert isinstance(changed, Upsert)
        assert (_key("a"), Delete(_key("b"))) == (changed.key, deleted)
        assert listener.silent
