"""The reading statements of the SQLite store.

In: a connection. Out: objects and changes as `interface` has them. Law: each function reads in one transaction of the
database, so what it returns belongs to one moment; none reads more than its limits at a time.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from controlplane.store.interface import Batch, CompactedError, Event, Key, Page, Scope, Stored
from controlplane.store.schema import NOW

_COLUMNS: Final = "resource, namespace, name, revision, created, value"
_KEY: Final = ("resource", "namespace", "name")
# What one reading of the history holds at most, but for one transaction more.
_READ_EVENTS: Final = 256
_READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """The revision of the last transaction, and that before which the history is forgotten."""

    revision: int
    compacted: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the history: its transactions with events in scope, and the revision up to which that is all."""

    batches: tuple[Batch, ...]
    reached: int


def state(connection: sqlite3.Connection) -> State:
    """Where the store stands."""
    return State(*connection.execute("select revision, compacted from state").fetchone())


def checksum(resource: str, namespace: str, name: str, revision: int, created: int, value: bytes | None) -> int:
    """What a row's `checksum` is: SQLite itself notices a damaged page, but not a damaged value."""
    head = f"{resource}/{namespace}/{name}/{revision}/{created}/{value is None}/".encode()
    return zlib.crc32(value or b"", zlib.crc32(head))


def current(connection: sqlite3.Connection, key: Key) -> tuple[int, Stored] | None:
    """The row number and object under `key` now."""
    row = connection.execute(
        f"select id, until, {_COLUMNS} from versions where resource = ? and namespace = ? and name = ?"  # noqa: S608 - constants
        " order by revision desc limit 1",
        (key.resource, key.namespace, key.name),
    ).fetchone()
    return None if row is None or row[1] != NOW else (row[0], _stored(row[2:]))


def get(connection: sqlite3.Connection, key: Key, revision: int | None) -> Stored | None:
    """The object under `key` at `revision`, now when it is None.

    Raises:
        CompactedError: when that revision cannot be told of.
    """
    with _moment(connection) as now:
        at = _at(now, revision)
        row = connection.execute(
            f"select {_COLUMNS} from versions where resource = ? and namespace = ? and name = ?"  # noqa: S608 - constants
            " and revision <= ? and until > ?",
            (key.resource, key.namespace, key.name, at, at),
        ).fetchone()
    return None if row is None else _stored(row)


def page(connection: sqlite3.Connection, scope: Scope, limit: int, revision: int | None, after: Key | None) -> Page:
    """At most `limit` objects of `scope` at `revision` (None: now) whose keys are greater than `after`.

    Raises:
        CompactedError: when that revision cannot be told of.
    """
    where, parameters = _where(scope)
    if after is not None:
        # Only the columns that the scope leaves open: then SQLite begins to read there, and not at the scope's first.
        open_columns = _KEY[len(parameters) :]
        where += f" and ({', '.join(open_columns)}) > ({', '.join('?' * len(open_columns))})"
        parameters += (after.resource, after.namespace, after.name)[len(parameters) :]
    with _moment(connection) as now:
        at = _at(now, revision)
        rows = connection.execute(
            f"select {_COLUMNS} from versions indexed by versions_by_key where revision <= ? and until > ?{where}"  # noqa: S608 - constants
            " order by resource, namespace, name limit ?",
            (at, at, *parameters, limit + 1),
        ).fetchall()
    return Page(tuple(_stored(row) for row in rows[:limit]), at, more=len(rows) > limit)


def changes(connection: sqlite3.Connection, scope: Scope, after: int) -> Stretch:
    """The next transactions with events in `scope` after a revision; no more than fit in memory many times over.

    Raises:
        CompactedError: when that revision cannot be told of.
    """
    where, parameters = _where(scope)
    batches: list[Batch] = []
    events = size = 0
    with _moment(connection) as now:
        _at(now, after)
        rows = connection.execute(
            # Left to choose, SQLite takes the other index and sorts the whole history for every stretch of it.
            f"select {_COLUMNS} from versions indexed by versions_by_revision where revision > ?{where}"  # noqa: S608 - constants
            " order by revision, id",
            (after, *parameters),
        )
        for revision, group in groupby(rows, itemgetter(3)):
            batch = Batch(revision, tuple(_event(connection, row) for row in group))
            batches.append(batch)
            events += len(batch.events)
            size += batch_size(batch)
            if events >= _READ_EVENTS or size >= _READ_BYTES:
                rows.close()
                return Stretch(tuple(batches), revision)
    return Stretch(tuple(batches), now.revision)


def batch_size(batch: Batch) -> int:
    """The bytes of the values in a batch."""
    return sum(len(side.value) for event in batch.events for side in (event.now, event.before) if side is not None)


def damaged(connection: sqlite3.Connection) -> str:
    """What a reading of the whole file finds damaged, "" when nothing is.

    Raises:
        sqlite3.DatabaseError: when the damage does not let it be read at all.
    """
    (found,) = connection.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        return str(found)
    connection.create_function("isthmus_checksum", 6, checksum, deterministic=True)
    (wrong,) = connection.execute(
        f"select count(*) from versions where checksum <> isthmus_checksum({_COLUMNS})"  # noqa: S608 - constants
    ).fetchone()
    return f"{wrong} objects are not as they were written" if wrong else ""


@contextmanager
def _moment(connection: sqlite3.Connection) -> Iterator[State]:
    connection.execute("begin")
    try:
        yield state(connection)
    finally:
        connection.execute("rollback")


def _at(now: State, revision: int | None) -> int:
    at = now.revision if revision is None else revision
    if not now.compacted <= at <= now.revision:
        raise CompactedError(at, now.compacted)
    return at


def _where(scope: Scope) -> tuple[str, tuple[str, ...]]:
    if scope.resource is None:
        return "", ()
    if scope.namespace is None:
        return " and resource = ?", (scope.resource,)
    return " and resource = ? and namespace = ?", (scope.resource, scope.namespace)


def _stored(row: tuple[str, str, str, int, int, bytes]) -> Stored:
    resource, namespace, name, revision, created, value = row
    return Stored(Key(resource, namespace, name), value, created, revision)


def _event(connection: sqlite3.Connection, row: tuple[str, str, str, int, int, bytes | None]) -> Event:
    resource, namespace, name, revision, created, value = row
    key = Key(resource, namespace, name)
    before = connection.execute(
        f"select {_COLUMNS} from versions where resource = ? and namespace = ? and name = ?"  # noqa: S608 - constants
        " and revision < ? and until = ? order by revision desc limit 1",
        (resource, namespace, name, revision, revision),
    ).fetchone()
    now = None if value is None else Stored(key, value, created, revision)
    return Event(key, now, None if before is None else _stored(before))
