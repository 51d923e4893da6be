"""Backups of the SQLite store, and the way back.

In: a database, in use or not, and a folder. Out: a file that is a database of its own. Law: a backup under its name was
read back and found whole; an older one is removed only after that. Restoring removes nothing, and never lets a client
take the new history for the old.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from controlplane.errors import IsthmusError
from controlplane.store.failures import unavailable
from controlplane.store.opening import PRIVATE, connect, connect_for_reading, sync_folder
from controlplane.store.ownership import Ownership
from controlplane.store.rows import damaged, state
from controlplane.store.schema import APPLICATION_ID, NOW, STEPS
from controlplane.store.standing import name, standing

# Far more than was written between the backup and its restoring.
_LEAP: Final = 1_000_000_000


class BackupError(IsthmusError):
    """A backup could not be made or restored."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup, the number of objects in it, and the revision at which it holds them."""

    path: Path
    objects: int
    revision: int


def back_up(database: Path, folder: Path, *, keep: int, now: datetime) -> Backup:
    """Makes a backup, also while a control plane writes; leaves the newest `keep` in the folder. `now` is in UTC.

    Raises:
        BackupError: when the database cannot be read or the backup cannot be written.
    """
    if not database.is_file():
        raise BackupError(f"{database}: is not there; give the path of the store's database")
    target = folder / name(database, now)
    unfinished = folder / f".{target.name}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE))
        try:
            _copy(database, unfinished)
            backup = examined(unfinished)
            _sync(unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(folder)
        for old in standing(folder, database)[:-keep]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: {error.strerror}; see to the folder of the backups") from error
    return Backup(target, backup.objects, backup.revision)


def examined(path: Path) -> Backup:
    """What a backup holds, after all of it was read.

    Raises:
        BackupError: when it is no backup, or not whole.
    """
    try:
        with closing(connect(path, "mode=ro&immutable=1")) as connection:
            (application,) = connection.execute("pragma application_id").fetchone()
            (steps,) = connection.execute("pragma user_version").fetchone()
            if application != APPLICATION_ID or not 0 < steps <= len(STEPS):
                raise BackupError(f"{path}: is no backup that this release can read; give another")
            if what := damaged(connection):
                raise BackupError(f"{path}: is damaged ({what}); take an older backup")
            (objects,) = connection.execute(f"select count(*) from versions where until = {NOW}").fetchone()  # noqa: S608 - constant
            return Backup(path, objects, state(connection).revision)
    except sqlite3.Error as error:
        raise BackupError(f"{path}: is no whole backup ({error}); give another") from error


def restore(database: Path, backup: Path, *, now: datetime) -> tuple[Backup, Path | None]:
    """Puts a backup in the place of a database that nobody uses; gives it and where the old file is now.

    Revisions go on far beyond all that may have been given out, and the history begins there: clients list anew.

    Raises:
        BackupError: when the backup is not whole, or files cannot be written.
        StartError: when a process uses the database.
    """
    database = database.resolve()
    found = examined(backup)
    aside = database.with_name(f"{database.name}.{now:%Y%m%dT%H%M%S}")
    unfinished = database.with_name(f".{database.name}.restoring")
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ownership = Ownership(database)
        try:
            os.close(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE))
            _copy(backup, unfinished, leap=_LEAP)
            _sync(unfinished)
            there = _put_aside(database, aside)
            unfinished.replace(database)
            sync_folder(database.parent)
        finally:
            unfinished.unlink(missing_ok=True)
            ownership.release()
    except OSError as error:
        raise BackupError(f"{error.filename or database}: {error.strerror}; see to the database's folder") from error
    return found, aside if there else None


def _put_aside(database: Path, aside: Path) -> bool:
    """Gives the old files a second name, or another: a log left under its name would be played into the new file.

    False when there is no old file.
    """
    if not database.exists():
        return False
    aside.unlink(missing_ok=True)
    aside.hardlink_to(database)
    for suffix in ("-wal", "-shm"):
        beside = database.with_name(f"{database.name}{suffix}")
        if beside.exists():
            beside.replace(aside.with_name(f"{aside.name}{suffix}"))
    return True


def _copy(source: Path, target: Path, leap: int = 0) -> None:
    try:
        with closing(connect_for_reading(source)) as reading, closing(connect(target, "mode=rw")) as writing:
            reading.backup(writing)
            # A file of its own: no log beside it that could be forgotten.
            writing.execute("pragma journal_mode = delete")
            if leap:
                writing.execute("update state set revision = revision + ?, compacted = revision + ?", (leap, leap))
    except sqlite3.Error as error:
        raise BackupError(str(unavailable(source, error))) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
