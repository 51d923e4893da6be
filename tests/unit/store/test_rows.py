from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from controlplane.store.interface import Delete, Key, Put, Scope, Txn
from controlplane.store.rows import changes, damaged, page
from controlplane.store.schema import migrate
from controlplane.store.transactions import commit

KEY = Key("r", "n", "a")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A connection to a store in memory with one object."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate(made)
        commit(made, [Txn((Put(KEY, b"value"),))])
        yield made


def _plan(connection: sqlite3.Connection, ask: Callable[[], object]) -> str:
    """How SQLite goes about the first question asked of the versions."""
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    ask()
    connection.set_trace_callback(None)
    question = next(statement for statement in asked if "from versions" in statement)
    return " ".join(row[3] for row in connection.execute(f"explain query plan {question}"))


@pytest.mark.parametrize(
    ("scope", "begin"),
    [
        (Scope(), "((resource,namespace,name)>(?,?,?))"),
        (Scope("r"), "(resource=? AND (namespace,name)>(?,?))"),
        (Scope("r", "n"), "(resource=? AND namespace=? AND name>?)"),
    ],
)
def test_a_page_begins_where_the_last_one_ended(connection: sqlite3.Connection, scope: Scope, begin: str) -> None:
    """The cost of a page does not grow with the pages before it, and nothing is sorted."""
    plan = _plan(connection, lambda: page(connection, scope, 9, None, KEY))

    assert f"SEARCH versions USING INDEX versions_by_key {begin}" == plan


@pytest.mark.parametrize("scope", [Scope(), Scope("r"), Scope("r", "n")])
def test_the_history_is_read_from_where_a_watcher_is(connection: sqlite3.Connection, scope: Scope) -> None:
    """The cost of a stretch does not grow with the history, and nothing is sorted."""
    plan = _plan(connection, lambda: changes(connection, scope, 1))

    assert plan == "SEARCH versions USING INDEX versions_by_revision (revision>?)"


@pytest.mark.parametrize(("size", "batches"), [(1, 256), (100_000, 12)])
def test_a_stretch_of_the_history_is_not_too_long(connection: sqlite3.Connection, size: int, batches: int) -> None:
    """In number and in bytes: the rest is read from where it ended; a whole one reaches the last revision."""
    for _ in range(300):
        commit(connection, [Txn((Put(KEY, b"x" * size),)), Txn((Delete(KEY),))])
    stretch, last = changes(connection, Scope(), 1), changes(connection, Scope("none"), 1)

    assert (batches, batches + 1) == (len(stretch.batches), stretch.reached)
    assert batches + 2 == changes(connection, Scope(), stretch.reached).batches[0].revision
    assert ((), 602) == (last.batches, last.reached)


@pytest.mark.parametrize(
    "damage",
    ["value = x'00'", "value = null", "name = 'b'", "namespace = ''", "resource = 's'", "revision = 3", "created = 1"],
)
def test_a_row_that_was_not_written_so_is_damaged(connection: sqlite3.Connection, damage: str) -> None:
    """The checksum is over all that an object is, for SQLite itself notices none of this."""
    whole = damaged(connection)
    connection.execute(f"update versions set {damage}")  # noqa: S608 - the damages above

    assert ("", "1 objects are not as they were written") == (whole, damaged(connection))
