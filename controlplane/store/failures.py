"""What a failing database means to a person.

In: an error of SQLite's or the system's. Out: a sentence that names the file, what is wrong and the remedy. Law: it
quotes no value that is stored.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from controlplane.store.interface import UnavailableError

_PRIMARY: Final = 0xFF
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: sqlite3.Error) -> bool:
    """True when the file does not hold what SQLite wrote."""
    return _code(error) in _DAMAGED


def is_busy(error: sqlite3.Error) -> bool:
    """True when another program holds a lock of SQLite's on the file."""
    return _code(error) in _BUSY


def unavailable(path: Path, error: sqlite3.Error | OSError) -> UnavailableError:
    """The error that a caller of the store gets."""
    return UnavailableError(f"{path}: {_sentence(error)}")


def _sentence(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        return f"cannot be written ({error.strerror}); see to the disk and to the permissions of file and folder"
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return "the disk is full; make room on it"
        case sqlite3.SQLITE_READONLY:
            return "is read-only; permit this user to write file and folder, or mount the disk for writing"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "is damaged; stop this process and restore a backup with: isthmus restore"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is locked by another program; end that program"
    return f"cannot be read or written ({error}); see to the disk and to the permissions of file and folder"


def _code(error: sqlite3.Error) -> int:
    # Errors of the Python module itself, such as a closed connection, have no code.
    code = getattr(error, "sqlite_errorcode", 0)
    return int(code) & _PRIMARY
