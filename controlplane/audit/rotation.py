"""Files of lines that make way for others when they are full.

In: lines, and limits of size, number and age. Out: files. Law: a line is in one file as a whole or not at all, and
what is in none is told; no file takes the place of another.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from controlplane.audit.retention import FILE_MODE, Limits, name_of_full, settle
from controlplane.audit.writer import Lost
from controlplane.errors import StartError
from controlplane.settings.audit import AuditLog

_FOLDER_MODE: Final = 0o700
_MEGABYTE: Final = 1024 * 1024


class RotatingFile:
    """The file `path`, readable by its owner only; `clock` gives Unix seconds.

    Where somebody has moved or removed the file, the next line begins another one.

    Raises:
        OSError: when the file cannot be opened.
    """

    def __init__(self, path: Path, limits: Limits, clock: Callable[[], float]) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._open()
        # Compressing a full file takes seconds; one after the other, beside the writing.
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit-rotation")
        self._aside.submit(settle, path, limits, self._now())

    def write(self, lines: list[bytes]) -> Lost | None:
        """Appends lines; one that is larger than a whole file gets a file for itself."""
        lost, reason, rest = 0, "", lines
        while rest:
            number = 0
            try:
                self._follow()
                number = self._fitting(rest)
                if not number:
                    self._rotate()
                    number = max(1, self._fitting(rest))
                self._append(b"".join(rest[:number]))
            except OSError as error:
                # Where there is no file to write to, none of them is written.
                number = number or len(rest)
                lost, reason = lost + number, _reason(error)
            rest = rest[number:]
        return Lost(lost, reason) if lost else None

    def close(self) -> None:
        """Closes the file; what is being compressed is compressed to its end."""
        os.close(self._file)
        self._aside.shutdown()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _open(self) -> None:
        self._path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
        self._size = os.fstat(self._file).st_size

    def _open_another(self) -> None:
        previous = self._file
        self._open()
        os.close(previous)

    def _follow(self) -> None:
        """Finds out what others have done to the file: what is written to one that is removed is lost."""
        own = os.fstat(self._file)
        self._size = own.st_size
        there = None
        with suppress(FileNotFoundError):
            there = self._path.stat()
        if there is None or not os.path.samestat(own, there):
            self._open_another()

    def _fitting(self, lines: list[bytes]) -> int:
        """How many of the lines the file has room for."""
        if not self._limits.size:
            return len(lines)
        size = self._size
        for number, line in enumerate(lines):
            size += len(line)
            if size > self._limits.size:
                return number
        return len(lines)

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
        if not self._size:
            return
        now = self._now()
        self._path.rename(name_of_full(self._path, now))
        self._open_another()
        self._aside.submit(settle, self._path, self._limits, now)


class Stdout:
    """Standard output, written past Python's buffer."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._within_line = False

    def write(self, lines: list[bytes]) -> Lost | None:
        """Writes lines, as fast as they are read."""
        # Half a line, which nobody can take back here, must not spoil the next one.
        before = b"\n" if self._within_line else b""
        data, done = before + b"".join(lines), 0
        try:
            while done < len(data):
                done += self._some(memoryview(data)[done:])
        except OSError as error:
            written = data[:done]
            self._within_line = not written.endswith(b"\n") if written else self._within_line
            return Lost(len(lines) - written.removeprefix(before).count(b"\n"), _reason(error))
        self._within_line = False
        return None

    def close(self) -> None:
        """Leaves standard output open: it is not ours."""

    def _some(self, data: memoryview) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Whoever shares it may have made it so that it does not wait by itself.
                select.select((), (self._descriptor,), ())


def opened(log: AuditLog, clock: Callable[[], float]) -> RotatingFile | Stdout:
    """Where the settings want the audit log; `clock` gives Unix seconds.

    Raises:
        StartError: when the file cannot be opened.
    """
    if log.path == "-":
        return Stdout()
    age = timedelta(days=min(log.max_age, timedelta.max.days)) if log.max_age else None
    limits = Limits(log.max_size * _MEGABYTE, log.max_backup, age, log.compress)
    try:
        return RotatingFile(log.path, limits, clock)
    except OSError as error:
        raise StartError(
            f"audit.log.path: {log.path} cannot be written ({error.strerror}); mend its folder or choose another path"
        ) from error


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
