"""Files of lines, and what becomes of full ones.

In: lines, and limits of size, number and age. Out: files. Law: a line is in one file as a whole or not at all, and
nothing is removed that the limits allow.

Names and limits are those of kube-apiserver's --audit-log-* flags: a full `audit.log` becomes
`audit-2026-01-31T23-59-59.999.log` (UTC), with `.gz` at its end when compressed.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from controlplane.errors import StartError
from controlplane.settings.audit import AuditLog

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_TIME: Final = "%Y-%m-%dT%H-%M-%S"
_GZIP: Final = ".gz"
_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """When a file is full (bytes), how many full ones are kept and for how long; 0 and None: no such limit."""

    size: int = 0
    backups: int = 0
    age: timedelta | None = None
    compress: bool = False


class RotatingFile:
    """The file `path`, readable by its owner only; `clock` gives Unix seconds.

    Raises:
        OSError: when the file cannot be opened.
    """

    def __init__(self, path: Path, limits: Limits, clock: Callable[[], float]) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._log = structlog.get_logger("audit")
        self._pattern = re.compile(
            re.escape(path.stem) + r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)\.(\d{3})" + re.escape(path.suffix) + r"(\.gz)?"
        )
        # Compressing a full file takes seconds; one after the other, beside the writing.
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit-rotation")
        path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        self._open()

    def write(self, lines: list[bytes]) -> None:
        """Appends lines; one that is larger than a whole file gets a file for itself.

        Raises:
            OSError: when some could not be written; those are lost.
        """
        batch: list[bytes] = []
        size = self._size
        for line in lines:
            if self._limits.size and size and size + len(line) > self._limits.size:
                self._append(b"".join(batch))
                self._rotate()
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        self._append(b"".join(batch))

    def close(self) -> None:
        """Closes the file; what is being compressed is compressed to its end."""
        os.close(self._file)
        self._aside.shutdown()

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, _MODE)
        self._size = os.fstat(self._file).st_size

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            # Half a line would make the next one unreadable too.
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def _rotate(self) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        full = self._path.with_name(f"{self._path.stem}-{now:{_TIME}}.{now.microsecond // 1000:03d}{self._path.suffix}")
        # Gone already when it was removed by hand, or when the new file could not be opened the last time.
        with suppress(FileNotFoundError):
            self._path.rename(full)
        previous = self._file
        self._open()
        os.close(previous)
        self._aside.submit(self._settle, now)

    def _settle(self, now: datetime) -> None:
        """Removes what is too many or too old, and compresses the rest."""
        try:
            for number, (began, path) in enumerate(sorted(self._full(), reverse=True), start=1):
                too_many = self._limits.backups and number > self._limits.backups
                too_old = self._limits.age is not None and now - began > self._limits.age
                if too_many or too_old:
                    path.unlink(missing_ok=True)
                elif self._limits.compress and path.suffix != _GZIP:
                    _compress(path)
        except OSError as error:
            self._log.error("full audit logs not put in order", folder=str(self._path.parent), reason=error.strerror)

    def _full(self) -> list[tuple[datetime, Path]]:
        full = []
        for path in self._path.parent.iterdir():
            match = self._pattern.fullmatch(path.name)
            if match:
                began = datetime.strptime(match[1], _TIME).replace(microsecond=1000 * int(match[2]), tzinfo=UTC)
                full.append((began, path))
        return full


def _compress(path: Path) -> None:
    """Replaces a file by its compressed copy; what is only half a copy is never called one."""
    copy = path.with_name(f"{path.name}{_GZIP}")
    unfinished = copy.with_name(f".{copy.name}")
    descriptor = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _MODE)
    with path.open("rb") as source, os.fdopen(descriptor, "wb") as target, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(source, packed)
    unfinished.rename(copy)
    path.unlink(missing_ok=True)


def opened(log: AuditLog, clock: Callable[[], float]) -> RotatingFile | Stdout:
    """Where the settings want the audit log; `clock` gives Unix seconds.

    Raises:
        StartError: when the file cannot be opened.
    """
    if log.path == "-":
        return Stdout()
    age = timedelta(days=log.max_age) if log.max_age else None
    limits = Limits(log.max_size * _MEGABYTE, log.max_backup, age, log.compress)
    try:
        return RotatingFile(log.path, limits, clock)
    except OSError as error:
        raise StartError(
            f"audit.log.path: {log.path} cannot be written ({error.strerror}); mend its folder or choose another path"
        ) from error


class Stdout:
    """Standard output, written past Python's buffer."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor

    def write(self, lines: list[bytes]) -> None:
        """Writes lines.

        Raises:
            OSError: when nobody reads any more.
        """
        rest = memoryview(b"".join(lines))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Leaves standard output open: it is not ours."""
