"""Child processes: when they are started again, and how they end.

In: a process, or how long one ran. Out: its end, or how long to wait. Law: what is ended here has ended, with all its
process group; when this very process is killed, the kernel kills the children (tether.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final, Protocol

GRACE: Final = 3.0
"""Seconds between the request to end and the end by force."""


class Process(Protocol):
    """The part of asyncio.subprocess.Process that supervision needs."""

    @property
    def pid(self) -> int:
        """The process id, which is also its process group's."""

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the signal's number, or None while it runs."""

    async def wait(self) -> int:
        """The exit code, once it has ended."""


class Backoff:
    """How long to wait before a program is started again: `first` seconds, doubled up to `longest`.

    A run of at least `steady` seconds starts the row anew.
    """

    def __init__(self, first: float = 0.5, longest: float = 30.0, steady: float = 60.0) -> None:
        self._first = first
        self._longest = longest
        self._steady = steady
        self._next = first

    def after(self, uptime: float) -> float:
        """Seconds to wait after a run of `uptime` seconds."""
        if uptime >= self._steady:
            self._next = self._first
        delay = self._next
        self._next = min(self._longest, delay * 2)
        return delay


def tethered(*command: str) -> tuple[str, ...]:
    """The command that runs `command`, whose first word is a path, and does not outlive this process."""
    tether = Path(__file__).with_name("tether.py")
    return (sys.executable, "-IS", str(tether), str(os.getpid()), *command)


async def end(process: Process, grace: float) -> None:
    """Asks a process's group to end, and ends by force what is left of it after `grace` seconds."""
    try:
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await process.wait()
    finally:
        _signal(process, signal.SIGKILL)
    await process.wait()


def outcome(code: int) -> str:
    """How a process with this return code ended."""
    return f"exit code {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
