"""The backups that are there.

In: a folder and the database they are of. Out: their paths. Law: a name tells of which database a backup is and when it
was made, so that names in order are backups in order, and nothing else in the folder is taken for one.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path


def name(database: Path, made: datetime) -> str:
    """The name of a backup; `made` is in UTC."""
    return f"{database.stem}-{made:%Y%m%dT%H%M%S}.{made.microsecond // 1000:03d}Z.db"


def standing(folder: Path, database: Path) -> tuple[Path, ...]:
    """The backups of a database, oldest first; none when the folder is not there or cannot be read."""
    pattern = re.compile(rf"{re.escape(database.stem)}-\d{{8}}T\d{{6}}\.\d{{3}}Z\.db")
    try:
        return tuple(sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name)))
    except OSError:
        return ()


def latest(folder: Path, database: Path) -> Path | None:
    """The last backup of a database."""
    return next(reversed(standing(folder, database)), None)
