"""The writing statements of the SQLite store.

In: a connection and transactions, or a revision to compact to. Out: what became of each, and the changes. Law: a group
of transactions is one transaction of the database, with one wait for the disk; within it each is a revision of its own
and sees those before it. When the database fails, none of the group is done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.store.interface import Batch, Conflict, Event, Expect, Key, Put, Stored, Txn, WriteResult, Written
from controlplane.store.rows import checksum, current, state
from controlplane.store.schema import NOW

# Rows that one step of a compaction deletes: a write waits no longer than that takes.
_COMPACT_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of each transaction of a group, in order, and the changes of those that changed something."""

    results: tuple[WriteResult, ...]
    batches: tuple[Batch, ...]


def commit(connection: sqlite3.Connection, group: Sequence[Txn]) -> Committed:
    """Does transactions, each on its own conditions; when this returns they are on the disk.

    Raises:
        sqlite3.Error: when the database fails; then nothing was done.
    """
    connection.execute("begin immediate")
    try:
        revision = state(connection).revision
        results: list[WriteResult] = []
        batches: list[Batch] = []
        for txn in group:
            conflict = _conflict(connection, txn.expected)
            if conflict is not None:
                results.append(conflict)
                continue
            if events := _apply(connection, txn, revision + 1):
                revision += 1
                batches.append(Batch(revision, events))
            results.append(Written(revision))
        if batches:
            connection.execute("update state set revision = ?", (revision,))
        connection.execute("commit")
    except BaseException:
        _roll_back(connection)
        raise
    return Committed(tuple(results), tuple(batches))


def compact(connection: sqlite3.Connection, revision: int) -> tuple[int, bool]:
    """One step of a compaction: the revision the history begins at now, and whether more is left to delete.

    Raises:
        sqlite3.Error: when the database fails; then the step is not done.
    """
    connection.execute("begin immediate")
    try:
        now = state(connection)
        compacted = revision if now.compacted < revision <= now.revision else now.compacted
        if compacted > now.compacted:
            connection.execute("update state set compacted = ?", (compacted,))
        deleted = connection.execute(
            f"delete from versions where id in (select id from versions where until <= ? and until < {NOW} limit ?)",  # noqa: S608 - a constant
            (compacted, _COMPACT_ROWS),
        ).rowcount
        connection.execute("commit")
    except BaseException:
        _roll_back(connection)
        raise
    return compacted, deleted == _COMPACT_ROWS


def _conflict(connection: sqlite3.Connection, expected: tuple[Expect, ...]) -> Conflict | None:
    found = [(expect, current(connection, expect.key)) for expect in expected]
    differing = tuple(
        (expect.key, None if row is None else row[1])
        for expect, row in found
        if expect.revision != (0 if row is None else row[1].modified_revision)
    )
    return Conflict(differing) if differing else None


def _apply(connection: sqlite3.Connection, txn: Txn, revision: int) -> tuple[Event, ...]:
    events: list[Event] = []
    for write in txn.writes:
        row = current(connection, write.key)
        before = None if row is None else row[1]
        if row is not None:
            connection.execute("update versions set until = ? where id = ?", (revision, row[0]))
        if isinstance(write, Put):
            created = revision if before is None else before.created_revision
            now = Stored(write.key, write.value, created, revision)
            _insert(connection, write.key, revision, created, write.value)
            events.append(Event(write.key, now, before))
        elif before is not None:
            _insert(connection, write.key, revision, before.created_revision, None)
            events.append(Event(write.key, None, before))
    return tuple(events)


def _insert(connection: sqlite3.Connection, key: Key, revision: int, created: int, value: bytes | None) -> None:
    row = (key.resource, key.namespace, key.name, revision, created, value)
    connection.execute(
        "insert into versions (resource, namespace, name, revision, created, value, until, checksum)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, revision if value is None else NOW, checksum(*row)),
    )


def _roll_back(connection: sqlite3.Connection) -> None:
    # A database that fails hard has rolled back by itself.
    if connection.in_transaction:
        connection.execute("rollback")
