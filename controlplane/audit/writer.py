"""The thread that writes the audit log.

In: lines from the event loop. Out: lines in a file or on stdout. Law: the event loop never waits for a disk or a pipe;
what cannot be written, or comes faster than it can, is counted, and the log says when that begins and when it ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from controlplane.audit.backlog import Backlog
from controlplane.audit.metrics import AuditMetrics

# A few seconds of what one control plane can tell.
_BACKLOG_BYTES: Final = 64 * 1024 * 1024
# How long the end waits for a disk or a reader of stdout that does not move.
_PATIENCE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Lost:
    """How many lines could not be written, and why."""

    lines: int
    reason: str


class Destination(Protocol):
    """Where lines are written; used by one thread."""

    def write(self, lines: list[bytes]) -> Lost | None:
        """Writes lines, whole ones only; what could not be written is lost, None when nothing is."""
        ...

    def close(self) -> None:
        """Ends what was begun."""
        ...


class Writer:
    """Takes lines on the event loop and writes them in a thread of its own."""

    def __init__(self, destination: Destination, metrics: AuditMetrics, limit: int = _BACKLOG_BYTES) -> None:
        self._destination = destination
        self._metrics = metrics
        self._backlog = Backlog(limit)
        self._log = structlog.get_logger("audit")
        self._overflowing = _Trouble(self._log, "audit log cannot keep up, events are dropped")
        self._failing = _Trouble(self._log, "audit log cannot be written, events are lost")
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)

    def put(self, lines: list[bytes]) -> None:
        """Takes lines to write; never waits."""
        dropped = self._backlog.put(lines)
        if dropped:
            self._metrics.overflowed(dropped)
            self._overflowing.begin("the backlog is full")
        else:
            self._overflowing.end()

    def wrong(self) -> str:
        """Why events are lost at the moment, "" when none are."""
        return self._failing.reason or self._overflowing.reason

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes until the context ends, and then what is left, as long as that goes on within some seconds."""
        self._thread.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._backlog.end()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._log.error("audit log not written to its end", reason="its destination takes nothing")

    def _write(self) -> None:
        while lines := self._backlog.take():
            lost = self._destination.write(lines)
            if lost is None:
                self._failing.end()
            else:
                self._metrics.unwritten(lost.lines)
                self._failing.begin(lost.reason)
        self._destination.close()


class _Trouble:
    """Something that is wrong for a while: said when it begins and when it ends."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger, event: str) -> None:
        self._log = log
        self._event = event
        self.reason = ""
        """Why, "" while all is well."""

    def begin(self, reason: str) -> None:
        if not self.reason:
            self.reason = reason
            self._log.error(self._event, reason=reason)

    def end(self) -> None:
        if self.reason:
            self.reason = ""
            self._log.info("audit log is written again")
