from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from controlplane.store.schema import EarlierSchemaError, NewerSchemaError, migrate, require_newest

MADE_UP = (("create table a (x)", "insert into a values (1)"), ("alter table a add column y",), ("update a set y = x",))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A connection to an empty database in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        yield made


def _steps(connection: sqlite3.Connection) -> int:
    (steps,) = connection.execute("pragma user_version").fetchone()
    return int(steps)


@pytest.mark.parametrize("done", range(4))
def test_the_steps_not_done_are_done_in_order(connection: sqlite3.Connection, done: int) -> None:
    """From every older schema a database comes to the newest, with what was in it."""
    migrate(connection, MADE_UP[:done])
    migrate(connection, MADE_UP)

    assert len(MADE_UP) == _steps(connection)
    assert [(1, 1)] == connection.execute("select x, y from a").fetchall()


def test_a_step_that_fails_leaves_no_trace(connection: sqlite3.Connection) -> None:
    """The steps before it stay, its own statements do not, and it can be tried again."""
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (MADE_UP[0], ("alter table a add column y", "no statement")))

    assert _steps(connection) == 1
    migrate(connection, MADE_UP)
    assert [(1, 1)] == connection.execute("select x, y from a").fetchall()


def test_a_newer_schema_is_refused(connection: sqlite3.Connection) -> None:
    """More steps than are known: a later release wrote it."""
    migrate(connection, MADE_UP)

    with pytest.raises(NewerSchemaError):
        migrate(connection, MADE_UP[:2])
    with pytest.raises(NewerSchemaError):
        require_newest(connection, MADE_UP[:2])


def test_who_only_reads_needs_the_newest_schema(connection: sqlite3.Connection) -> None:
    """An older one has to be brought up first."""
    migrate(connection, MADE_UP[:2])

    with pytest.raises(EarlierSchemaError):
        require_newest(connection, MADE_UP)
    require_newest(connection, MADE_UP[:2])
