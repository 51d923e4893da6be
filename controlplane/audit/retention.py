"""What becomes of full files.

In: the path of a log, limits of number and age, and the time. Out: fewer files, and compressed ones. Law: nothing is
removed that the limits allow, and one file that cannot be put in order keeps no other from it.

Names and limits are those of kube-apiserver's --audit-log-* flags: a full `audit.log` becomes
`audit-2026-01-31T23-59-59.999.log` (UTC), with `.gz` at its end when compressed.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

FILE_MODE: Final = 0o600
_TIME: Final = "%Y-%m-%dT%H-%M-%S"
_GZIP: Final = ".gz"

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a file is full (bytes), how many full ones are kept and for how long; 0 and None: no such limit."""

    size: int = 0
    backups: int = 0
    age: timedelta | None = None
    compress: bool = False


def name_of_full(path: Path, now: datetime) -> Path:
    """A name that no full file of the log has yet: that of the time, or of the milliseconds after it."""
    while True:
        full = path.with_name(f"{path.stem}-{now:{_TIME}}.{now.microsecond // 1000:03d}{path.suffix}")
        if not os.path.lexists(full) and not os.path.lexists(_compressed(full)):
            return full
        now += timedelta(milliseconds=1)


def settle(path: Path, limits: Limits, now: datetime) -> None:
    """Removes full files of the log that are too many or too old, and compresses the rest."""
    try:
        full = sorted(_full(path), reverse=True)
    except OSError as error:
        _report(path, error)
        return
    for number, (began, each) in enumerate(full, start=1):
        too_many = limits.backups and number > limits.backups
        too_old = limits.age is not None and now - began > limits.age
        try:
            if too_many or too_old:
                each.unlink(missing_ok=True)
            elif limits.compress and each.suffix != _GZIP:
                _compress(each)
        except OSError as error:
            _report(path, error)


def _full(path: Path) -> Iterator[tuple[datetime, Path]]:
    pattern = re.compile(
        re.escape(path.stem) + r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)\.(\d{3})" + re.escape(path.suffix) + r"(\.gz)?"
    )
    for each in path.parent.iterdir():
        match = pattern.fullmatch(each.name)
        if match is None or not each.is_file():
            continue
        # A day that there is none is in no name of ours.
        with suppress(ValueError):
            yield datetime.strptime(match[1], _TIME).replace(microsecond=1000 * int(match[2]), tzinfo=UTC), each


def _compress(path: Path) -> None:
    """Replaces a file by its compressed copy; what is only half a copy is never called one, and does not stay."""
    copy = _compressed(path)
    unfinished = copy.with_name(f".{copy.name}")
    try:
        descriptor = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, FILE_MODE)
        with path.open("rb") as source, os.fdopen(descriptor, "wb") as target, gzip.open(target, "wb") as packed:
            shutil.copyfileobj(source, packed)
        unfinished.rename(copy)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def _report(path: Path, error: OSError) -> None:
    _log.error("full audit logs not put in order", folder=str(path.parent), reason=error.strerror)


def _compressed(path: Path) -> Path:
    return path.with_name(f"{path.name}{_GZIP}")
