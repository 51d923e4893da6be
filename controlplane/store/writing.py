"""The thread that writes.

In: transactions and compactions. Out: what became of each, and the changes. Law: what waits while the disk is busy is
written together, in the order it came, with one more wait for the disk; a result is told only when it is on the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, TypeAlias, TypeVar

from controlplane.errors import StartError
from controlplane.store.failures import unavailable
from controlplane.store.interface import Batch, Txn, UnavailableError, WriteResult
from controlplane.store.opening import Database
from controlplane.store.transactions import commit, compact

T = TypeVar("T")

Outcome: TypeAlias = WriteResult | int | UnavailableError
"""Of a transaction, of a compaction (the revision the history begins at), of either when it failed."""

_GROUP: Final = 512
_GROUP_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Write:
    """A transaction to do."""

    txn: Txn
    ticket: object


@dataclass(frozen=True, slots=True)
class Compact:
    """A revision to compact to, a step at a time."""

    revision: int
    ticket: object


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of the thread."""


Request: TypeAlias = Write | Compact | Stop


@dataclass(frozen=True, slots=True)
class Report:
    """What one turn of the writer came to: what became of the requests with these tickets, and the changes."""

    outcomes: tuple[tuple[object, Outcome], ...]
    batches: tuple[Batch, ...] = ()
    compacted: int = 0
    """The revision the history begins at since a step of a compaction; 0 when there was none."""


class Writer:
    """One thread with the one connection that writes; `tell` is called in that thread."""

    def __init__(
        self,
        database: Database,
        connection: sqlite3.Connection | None,
        tell: Callable[[Report], None],
        renew_readers: Callable[[], None],
    ) -> None:
        """Without a connection one is asked for at each turn; `renew_readers` is called, in the thread, around that."""
        self._database = database
        self._connection = connection
        self._tell = tell
        self._renew_readers = renew_readers
        self._requests: SimpleQueue[Request] = SimpleQueue()
        self._thread = Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()

    def submit(self, request: Write | Compact) -> None:
        """Has a request done after those before it."""
        self._requests.put(request)

    def finish(self) -> None:
        """Does all that was submitted, then ends the thread."""
        self._requests.put(Stop())
        self._thread.join()

    def close(self) -> None:
        """Closes the connection, after `finish`; if it is the last to the file, the log is worked into it."""
        if self._connection is not None:
            self._connection.close()

    def _run(self) -> None:
        waiting: Request | None = None
        while True:
            request = waiting or self._requests.get()
            waiting = None
            match request:
                case Stop():
                    return
                case Compact():
                    self._compact(request)
                case Write():
                    group, waiting = self._group(request)
                    self._write(group)

    def _group(self, first: Write) -> tuple[Sequence[Write], Request | None]:
        """The writes that wait, as far as they go together, and the request after them if it was taken already."""
        group, size = [first], first.txn.size
        while len(group) < _GROUP and size < _GROUP_BYTES:
            try:
                request = self._requests.get_nowait()
            except Empty:
                break
            if not isinstance(request, Write):
                return group, request
            group.append(request)
            size += request.txn.size
        return group, None

    def _write(self, group: Sequence[Write]) -> None:
        done = self._attempt(lambda connection: commit(connection, [request.txn for request in group]))
        if isinstance(done, UnavailableError):
            self._tell(Report(tuple((request.ticket, done) for request in group)))
        else:
            tickets = (request.ticket for request in group)
            self._tell(Report(tuple(zip(tickets, done.results, strict=True)), done.batches))

    def _compact(self, request: Compact) -> None:
        done = self._attempt(lambda connection: compact(connection, request.revision))
        if isinstance(done, UnavailableError):
            self._tell(Report(((request.ticket, done),)))
            return
        compacted, more = done
        if more:
            # At the end of the queue: what was waiting to be written goes first.
            self._requests.put(request)
        self._tell(Report(() if more else ((request.ticket, compacted),), compacted=compacted))

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | UnavailableError:
        try:
            if self._connection is None:
                # SQLite shares among a process's connections what it could open only for reading, so they go before;
                # and after, those that took the file for one that never changes.
                self._renew_readers()
                self._connection = self._database.open_for_writing()
                self._renew_readers()
            return work(self._connection)
        except sqlite3.Error as error:
            return unavailable(self._database.path, error)
        except UnavailableError as error:
            return error
        except StartError as error:
            return UnavailableError(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must live on, and the caller must hear of it
            return UnavailableError(f"{self._database.path}: internal error: {type(error).__name__}: {error}")
