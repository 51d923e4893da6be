from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from controlplane.store.interface import Conflict, Delete, Expect, Key, Put, Scope, Txn, Written
from controlplane.store.rows import page, state
from controlplane.store.schema import migrate
from controlplane.store.transactions import commit, compact

A, B = Key("r", "", "a"), Key("r", "", "b")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A connection to an empty store in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate(made)
        yield made


def _put(key: Key, *expected: Expect, size: int = 1) -> Txn:
    return Txn((Put(key, b"x" * size),), expected)


def test_those_of_a_group_see_each_other(connection: sqlite3.Connection) -> None:
    """Each has a revision of its own, and a condition counts what those before it wrote."""
    group = [_put(A, Expect(A, 0)), _put(A, Expect(A, 0)), _put(A, Expect(A, 2)), Txn((Delete(B),)), _put(B)]
    committed = commit(connection, group)
    first, conflict, *rest = committed.results

    assert Written(2) == first
    assert isinstance(conflict, Conflict)
    assert [Written(3), Written(3), Written(4)] == rest
    assert [2, 3, 4] == [batch.revision for batch in committed.batches]


def test_a_full_database_takes_none_of_a_group(connection: sqlite3.Connection) -> None:
    """SQLite's own error comes out, and what was there before is as it was; with room it goes on."""
    commit(connection, [_put(A)])
    (pages,) = connection.execute("pragma page_count").fetchone()
    connection.execute(f"pragma max_page_count = {pages + 2}")
    with pytest.raises(sqlite3.OperationalError) as full:
        commit(connection, [_put(B), _put(A, size=100_000)])
    before = (state(connection).revision, [item.key for item in page(connection, Scope(), 9, None, None).items])
    connection.execute("pragma max_page_count = 1000000")

    assert sqlite3.SQLITE_FULL == full.value.sqlite_errorcode
    assert (2, [A]) == before
    assert (Written(3),) == commit(connection, [_put(B)]).results


def test_a_compaction_goes_in_steps(connection: sqlite3.Connection) -> None:
    """Writes find a gap between the steps; from the first on, the history begins at the revision."""
    commit(connection, [_put(A) for _ in range(1200)])
    steps = [compact(connection, 1201)]
    commit(connection, [_put(B)])
    while steps[-1][1]:
        steps.append(compact(connection, 1201))

    assert [(1201, True), (1201, True), (1201, False)] == steps
    assert (2,) == connection.execute("select count(*) from versions").fetchone()


def test_a_compaction_that_was_cut_is_finished_by_the_next(connection: sqlite3.Connection) -> None:
    """What a first step left behind, for the process was killed, goes with the next compaction, even to no later."""
    commit(connection, [_put(A) for _ in range(700)])
    compact(connection, 701)

    assert (701, False) == compact(connection, 701)
    assert (1,) == connection.execute("select count(*) from versions").fetchone()
