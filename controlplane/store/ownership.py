"""One process a database.

In: the path of a database. Out: the right to write to it, held until released or until the process is gone, however it
went. Law: no two processes hold it at once; it is a lock of the system's on a file beside the database, for SQLite's
own would let two control planes take turns.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from controlplane.errors import StartError


class Ownership:
    """The right to write to one database."""

    def __init__(self, database: Path) -> None:
        """Takes the right.

        Raises:
            StartError: when another process has it.
            OSError: when the lock's file cannot be made or opened.
        """
        path = database.with_name(f"{database.name}.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise StartError(
                f"{database}: is in use by process {owner or '(unknown)'}; stop that process, "
                "or give this one a database of its own"
            ) from None
        # On a full disk the number may be missing; the lock holds all the same.
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives the right up; the file stays, for whoever waits for it has it open."""
        os.close(self._file)


def for_lack_of_writing(error: OSError) -> bool:
    """True for an error that says no more than that nothing can be written there now."""
    return error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
