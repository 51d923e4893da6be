"""Opening the SQLite file.

In: a path. Out: connections to a database that is whole, ours, and of the newest schema. Law: nothing is served from a
file that was not found whole at the start; a file that cannot be written now is still read.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from shlex import quote as for_shell
from typing import Final
from urllib.parse import quote

from controlplane.errors import StartError
from controlplane.store.failures import is_busy, is_damage, unavailable
from controlplane.store.ownership import Ownership, for_lack_of_writing
from controlplane.store.rows import damaged
from controlplane.store.schema import APPLICATION_ID, EarlierSchemaError, NewerSchemaError, migrate, require_newest
from controlplane.store.standing import latest

PRIVATE: Final = 0o600
"""The mode of every file of a store: there are Secrets in it."""

_BUSY_SECONDS: Final = 5.0
_WAL_BYTES: Final = 64 * 1024 * 1024


class Database:
    """One SQLite file and the right to write to it."""

    def __init__(self, path: Path, backups: Path) -> None:
        """`backups` is the folder in which a damaged file's last backup is looked for."""
        self.path = path.resolve()
        self._backups = backups
        self._ownership: Ownership | None = None
        self._whole = False

    def open_for_writing(self) -> sqlite3.Connection:
        """The one connection that writes; the file is made if it is not there.

        Raises:
            StartError: when another process has the file, or it is damaged, foreign, or of a later release.
            UnavailableError: when it cannot be written now.
        """
        try:
            self._prepare()
            connection = connect(self.path, "mode=rw")
        except OSError as error:
            if for_lack_of_writing(error):
                raise unavailable(self.path, error) from error
            raise StartError(f"{self.path}: {error.strerror}; choose another path for the store") from error
        except sqlite3.Error as error:
            raise unavailable(self.path, error) from error
        try:
            self._check(connection)
            connection.execute("pragma journal_mode = wal")
            # The log is synced at every commit; without this only at checkpoints.
            connection.execute("pragma synchronous = full")
            connection.execute(f"pragma journal_size_limit = {_WAL_BYTES}")
            migrate(connection)
            # A file without write permission is opened all the same, and says so only now.
            connection.execute("begin immediate")
            connection.execute("rollback")
        except BaseException as error:
            connection.close()
            raise self._explained(error) from error
        return connection

    def open_for_reading(self) -> sqlite3.Connection:
        """A connection that reads, also where nothing can be written.

        Raises:
            StartError: when the file is damaged, foreign or of another release.
            UnavailableError: when it cannot be read.
        """
        try:
            connection = connect_for_reading(self.path)
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            self._check(connection)
            require_newest(connection)
        except BaseException as error:
            connection.close()
            raise self._explained(error) from error
        return connection

    def close(self) -> None:
        """Gives up the right to write."""
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None

    def _prepare(self) -> None:
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._ownership is None:
            self._ownership = Ownership(self.path)
        if self.path.exists():
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(PRIVATE)
            if not self.path.stat().st_size and (last := latest(self._backups, self.path)):
                raise self._damage("it is empty", last)
            return
        # SQLite gives its other files the mode of this one.
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        sync_folder(folder)

    def _check(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("pragma application_id").fetchone()
        (objects,) = connection.execute("select count(*) from sqlite_schema").fetchone()
        if application != APPLICATION_ID and (application or objects):
            raise StartError(f"{self.path}: is a database of another program; choose another path for the store")
        if not self._whole and objects and (what := damaged(connection)):
            raise self._damage(what, latest(self._backups, self.path))
        self._whole = True

    def _damage(self, what: str, last: Path | None) -> StartError:
        command = f"isthmus restore {for_shell(str(self.path))} --from"
        if last is not None:
            remedy = f"the last backup is {last}; restore it with: {command} {for_shell(str(last))}"
        else:
            remedy = (
                f"there is no backup in {self._backups}; if you have one elsewhere, restore it with: {command} FILE"
            )
        return StartError(f"{self.path}: the database is damaged ({what}); {remedy}")

    def _explained(self, error: BaseException) -> BaseException:
        match error:
            case NewerSchemaError():
                return StartError(
                    f"{self.path}: was written by a later release ({error}); run that release, or restore a backup"
                )
            case EarlierSchemaError():
                return StartError(f"{self.path}: was written by an earlier release; make it writable, to be brought up")
            case sqlite3.Error() if is_damage(error):
                return self._damage(str(error), latest(self._backups, self.path))
            case sqlite3.Error():
                return unavailable(self.path, error)
        return error


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection with no transactions but those that are asked for; `mode` is of SQLite's URI parameters."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that reads, whether or not somebody writes and whether or not anything can be written there.

    Raises:
        sqlite3.Error: when the file cannot be read.
    """
    try:
        return _proved(connect(path, "mode=ro"))
    except sqlite3.OperationalError as error:
        log = path.with_name(f"{path.name}-wal")
        if is_busy(error) or (log.exists() and log.stat().st_size):
            raise
        # Where SQLite cannot make its lock files it reads only what is said to stay as it is; without a log it will:
        # who writes needs those files, too.
        return _proved(connect(path, "mode=ro&immutable=1"))


def sync_folder(folder: Path) -> None:
    """Has the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _proved(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection, after a first reading: SQLite opens a file only when it is read."""
    try:
        connection.execute("select count(*) from sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
