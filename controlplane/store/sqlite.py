"""The store in a SQLite file, as the event loop sees it.

In: a path. Out: a `Store`. Law: the event loop never waits for the disk; a write is acknowledged after it is on the
disk (WAL, synchronous=FULL); when nothing can be written, writes are refused and reads and watches go on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from controlplane.aio import Watchable
from controlplane.errors import StartError
from controlplane.model.problem import Origin, Problem
from controlplane.store import rows
from controlplane.store.interface import (
    Batch,
    CompactedError,
    Key,
    Limits,
    Page,
    Scope,
    Stored,
    TooLargeError,
    Txn,
    UnavailableError,
    WriteResult,
)
from controlplane.store.opening import Database
from controlplane.store.reading import Readers
from controlplane.store.tail import Tail
from controlplane.store.writing import Compact, Outcome, Report, Write, Writer

# What waits for the disk is in memory; with more than this, writers are told to come later.
_WAITING: Final = 10_000
_WAITING_BYTES: Final = 64 * 1024 * 1024


@asynccontextmanager
async def opened(
    path: Path,
    report: Callable[[tuple[Problem, ...]], None],
    *,
    backups: Path,
    limits: Limits | None = None,
    mark_seconds: float = 60.0,
) -> AsyncIterator[SqliteStore]:
    """The store in the file at `path`, which is made if it is not there, for as long as the context lasts.

    `report` gets a Problem when writes are refused, and none when they are taken again. `backups` is the folder a
    damaged file's last backup is looked for in. A watch that has nothing to say marks its progress every
    `mark_seconds`.

    Raises:
        StartError: when the file is in use by another process, damaged, of a later release, or cannot be read.
    """
    database = Database(path, backups)
    readers = Readers(database)
    try:
        connection, refused, state = await asyncio.to_thread(_begin, database, readers)
        store = SqliteStore(database, readers, state, report, limits or Limits(), mark_seconds)
        store.start(connection, refused)
        try:
            yield store
        finally:
            await store.close()
    finally:
        await asyncio.to_thread(readers.close)
        database.close()


def _begin(database: Database, readers: Readers) -> tuple[sqlite3.Connection | None, str, rows.State]:
    """The writing connection, or why there is none, and where the store stands."""
    try:
        connection = database.open_for_writing()
    except UnavailableError as refused:
        try:
            return None, refused.reason, readers.call(rows.state)
        except UnavailableError:
            raise StartError(refused.reason) from refused
    return connection, "", rows.state(connection)


class SqliteStore:
    """A `Store`; made by `opened`, used on the event loop it was made on."""

    def __init__(
        self,
        database: Database,
        readers: Readers,
        state: rows.State,
        report: Callable[[tuple[Problem, ...]], None],
        limits: Limits,
        mark_seconds: float,
    ) -> None:
        self._database = database
        self._readers = readers
        self._report = report
        self._limits = limits
        self._mark_seconds = mark_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[object, asyncio.Future[Outcome]] = {}
        self._waiting_bytes = 0
        self._refused = ""
        self._compacted = state.compacted
        self._tail = Tail(state.revision)
        self._news = Watchable[object](None)
        self._writer: Writer | None = None

    async def revision(self) -> int:
        """The revision of the last transaction; see `Store`."""
        return (await self._readers.run(rows.state)).revision

    async def get(self, key: Key, *, revision: int | None = None) -> Stored | None:
        """The object; see `Store`."""
        return await self._readers.run(partial(rows.get, key=key, revision=revision))

    async def list(
        self, scope: Scope, *, limit: int = 500, revision: int | None = None, after: Key | None = None
    ) -> Page:
        """A page of objects; see `Store`."""
        return await self._readers.run(partial(rows.page, scope=scope, limit=limit, revision=revision, after=after))

    async def write(self, txn: Txn) -> WriteResult:
        """Does a transaction; see `Store`."""
        if len(txn.writes) > self._limits.writes or txn.size > self._limits.size:
            raise TooLargeError(
                f"a transaction of {len(txn.writes)} writes and {txn.size} bytes is more than the "
                f"{self._limits.writes} writes and {self._limits.size} bytes that are taken; send less at once"
            )
        if len(self._waiting) >= _WAITING or self._waiting_bytes + txn.size > _WAITING_BYTES:
            raise UnavailableError("too many writes wait for the disk; nothing was written, try again in a moment")
        self._waiting_bytes += txn.size
        try:
            outcome = await self._asked(lambda ticket: Write(txn, ticket))
        finally:
            self._waiting_bytes -= txn.size
        assert not isinstance(outcome, int)  # noqa: S101 - what a Write comes to
        return outcome

    async def watch(self, scope: Scope, *, after: int) -> AsyncGenerator[Batch, None]:
        """Every later transaction in scope; see `Store`."""
        said, mark_at = after, self._loop.time() + self._mark_seconds
        while True:
            news = self._news.value
            stretch = await self._stretch(scope, after)
            for batch in stretch.batches:
                yield batch
                said = batch.revision
            after = stretch.reached
            if said < after and self._loop.time() >= mark_at:
                yield Batch(after, ())
                said = after
            if said == after:
                mark_at = self._loop.time() + self._mark_seconds
            if after < self._tail.revision:
                # One that reads on from the history leaves others their turn.
                await asyncio.sleep(0)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(mark_at if said < after else None):
                    await self._news.changed(news)

    async def compact(self, revision: int) -> None:
        """Forgets; see `Store`."""
        await self._asked(lambda ticket: Compact(revision, ticket))

    def start(self, connection: sqlite3.Connection | None, refused: str) -> None:
        """Begins to take writes; without a connection it is tried anew at each, and `refused` says why."""
        self._tell_problem(refused)
        self._writer = Writer(self._database, connection, self._hear, self._readers.reopen)

    async def close(self) -> None:
        """Has what was asked written, and ends the watches."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.to_thread(writer.finish)
            await asyncio.to_thread(self._readers.close)
            # Last, for connections that only read cannot work the log into the file.
            await asyncio.to_thread(writer.close)
        closed = UnavailableError("the store is closed")
        self._take(Report(tuple((ticket, closed) for ticket in self._waiting)))
        self._news.publish(object())

    async def _asked(self, request: Callable[[object], Write | Compact]) -> WriteResult | int:
        if self._writer is None:
            raise UnavailableError("the store is closed")
        ticket: object = object()
        self._waiting[ticket] = self._loop.create_future()
        self._writer.submit(request(ticket))
        outcome = await self._waiting[ticket]
        if isinstance(outcome, UnavailableError):
            # The same one may be the answer to many.
            raise UnavailableError(outcome.reason)
        return outcome

    async def _stretch(self, scope: Scope, after: int) -> rows.Stretch:
        if self._writer is None:
            raise UnavailableError("the store is closed")
        if after < self._compacted:
            raise CompactedError(after, self._compacted)
        # A list may have read what the writer has committed and not told yet.
        held = self._tail.since(scope, after) if after <= self._tail.revision else None
        if held is not None:
            return held
        return await self._readers.run(partial(rows.changes, scope=scope, after=after))

    def _hear(self, report: Report) -> None:
        self._loop.call_soon_threadsafe(self._take, report)

    def _take(self, report: Report) -> None:
        self._compacted = max(self._compacted, report.compacted)
        for batch in report.batches:
            self._tail.add(batch)
        for ticket, outcome in report.outcomes:
            future = self._waiting.pop(ticket)
            if not future.done():
                future.set_result(outcome)
            self._tell_problem(outcome.reason if isinstance(outcome, UnavailableError) else "")
        if report.batches or report.compacted:
            self._news.publish(object())

    def _tell_problem(self, refused: str) -> None:
        if refused == self._refused:
            return
        self._refused = refused
        message, _, remedy = refused.partition("; ")
        path = str(self._database.path)
        problem = Problem(Origin(path), "", "", f"writes are refused: {message.removeprefix(f'{path}: ')}", remedy)
        self._report((problem,) if refused else ())
