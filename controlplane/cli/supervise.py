"""Keeps programs running, and ends them.

In: a `Program`. Out: a process of it, started again whenever it ends. Law: when supervision ends, for whatever reason,
the process and everything in its process group have ended; when this very process is killed, the kernel kills the
children (tether.py).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from controlplane.children import GRACE, Backoff, Process, end, outcome, tethered
from controlplane.settings.address import Address

_LOG_TAIL: Final = 4096
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `command[0]` is a path; `environment` is added to this process's own; `log` gets all output."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: tuple[tuple[str, str], ...] = ()


class Supervisor:
    """One program and its present process; says each start (program, process id) and each end (a sentence)."""

    def __init__(
        self,
        program: Program,
        *,
        started: Callable[[Program, int], None],
        ended: Callable[[str], None],
        launch: Callable[[Program], Awaitable[Process]],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.program = program
        self.pid = 0
        """The process id of the present process; 0 while there is none."""
        self._started = started
        self._ended = ended
        self._launch = launch
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> NoReturn:
        """Keeps the program running until this task is cancelled; then the program has ended.

        Raises:
            OSError: when the program cannot be started at all.
        """
        backoff = Backoff()
        while True:
            began = self._clock()
            process = await self._launch(self.program)
            self.pid = process.pid
            self._started(self.program, process.pid)
            try:
                code = await process.wait()
            finally:
                self.pid = 0
                await end(process, GRACE)
            delay = backoff.after(self._clock() - began)
            self._ended(
                f"{self.program.name} ended ({outcome(code)}): {last_line(self.program.log)}; "
                f"it is started again in {delay:g} s, and its log is {self.program.log}"
            )
            await self._sleep(delay)


async def launch(program: Program) -> asyncio.subprocess.Process:
    """A process of `program` in a process group of its own, with output to its log, that dies with this process.

    Raises:
        OSError: when it cannot be started.
    """
    log = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *tethered(*program.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **dict(program.environment)},
            # Ctrl-C goes to the terminal's foreground group; the children are to hear of it from us, in order.
            process_group=0,
        )
    finally:
        os.close(log)


async def once_there(address: Address) -> None:
    """Returns when something is, or was, listening at a Unix socket; at once for TCP, which shows nothing.

    An Envoy that finds no control plane tries again only after its own back-off, up to seconds later.
    """
    while not _there(address):  # noqa: ASYNC110 -- the file system sets no event
        await asyncio.sleep(_LOOK_SECONDS)


def _there(address: Address) -> bool:
    return not address.path or Path(address.path).is_socket()


def last_line(log: Path) -> str:
    """The last line in a log that says anything."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
