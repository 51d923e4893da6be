"""The tables of the SQLite store, and how they came to be.

In: a connection. Out: the same database in the newest schema. Law: a step that was released is never changed, only
followed by another; each is done whole or not at all, and user_version counts those that are done.

`versions` has a row for every version of every object and for every deletion; a version holds for the revisions from
`revision` to before `until`, which is the largest integer for what is there now. A deletion's row holds for none
(`until` = `revision`): it is there for watchers. `state` is one row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

APPLICATION_ID: Final = 0x49535448
"""What marks a file as ours in its header: "ISTH"."""

NOW: Final = 2**63 - 1
"""The `until` of a version that is in force."""

STEPS: Final = (
    (
        """create table state (
            one integer primary key check (one = 1), revision integer not null, compacted integer not null
        )""",
        "insert into state values (1, 1, 1)",
        """create table versions (
            id integer primary key,
            resource text not null,
            namespace text not null,
            name text not null,
            revision integer not null,
            until integer not null,
            created integer not null,
            checksum integer not null,
            value blob
        )""",
        # With `until` in it, a list passes over what is no longer in force without fetching its row.
        "create unique index versions_by_key on versions (resource, namespace, name, revision, until)",
        "create index versions_by_revision on versions (revision)",
        f"create index versions_past on versions (until) where until < {NOW}",
    ),
)
"""The statements of each step."""


class NewerSchemaError(Exception):
    """The database was written by a later release, with more steps than this one knows."""


class EarlierSchemaError(Exception):
    """The database has fewer steps than this release needs."""


def require_newest(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Does nothing to a database of the newest schema.

    Raises:
        NewerSchemaError: when more steps are done than are known.
        EarlierSchemaError: when fewer are.
    """
    (done,) = connection.execute("pragma user_version").fetchone()
    if done > len(steps):
        raise NewerSchemaError(f"schema {done} is newer than {len(steps)}")
    if done < len(steps):
        raise EarlierSchemaError(f"schema {done} is older than {len(steps)}")


def migrate(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Does the steps that are not done yet.

    Raises:
        NewerSchemaError: when more are done than are known.
    """
    (done,) = connection.execute("pragma user_version").fetchone()
    if done > len(steps):
        raise NewerSchemaError(f"schema {done} is newer than {len(steps)}")
    for number, statements in enumerate(steps[done:], start=done + 1):
        connection.execute("begin immediate")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute(f"pragma user_version = {number}")
            connection.execute("commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            raise
