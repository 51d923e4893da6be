"""Readers of the SQLite file, aside from the event loop and from the writer.

In: functions of a connection. Out: what they return. Law: the event loop waits for no disk; a reader never waits for
the writer, nor the writer for a reader.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Final, TypeVar

from controlplane.store.failures import unavailable
from controlplane.store.interface import UnavailableError
from controlplane.store.opening import Database

T = TypeVar("T")

_THREADS: Final = 4


class Readers:
    """A few threads and connections for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store-read")
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._generation = 0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns for a connection.

        Raises:
            UnavailableError: when the file cannot be read.
        """
        try:
            running = self._threads.submit(self.call, work)
        except RuntimeError as error:
            raise UnavailableError("the store is closed") from error
        return await asyncio.wrap_future(running)

    def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The same in the calling thread.

        Raises:
            UnavailableError: when the file cannot be read.
            StartError: when it is found damaged or foreign as it is opened first.
        """
        with self._lock:
            generation = self._generation
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._database.open_for_reading()
        try:
            result = work(connection)
        except sqlite3.Error as error:
            connection.close()
            raise unavailable(self._database.path, error) from error
        except BaseException:
            self._put_back(connection, generation)
            raise
        self._put_back(connection, generation)
        return result

    def reopen(self) -> None:
        """Has later reads use new connections: what was opened as unchanging may change now."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Waits for the reads that are under way, and closes all."""
        self._threads.shutdown()
        self.reopen()

    def _put_back(self, connection: sqlite3.Connection, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._idle.append(connection)
                return
        connection.close()
