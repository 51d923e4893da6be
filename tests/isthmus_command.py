"""The command `isthmus` against a config API, as a test runs it.

In: arguments. Out: what it printed and its exit code, or the running process. Law: no process outlives its test, and
nothing of the person who runs the tests (contexts, settings) is used.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from controlplane.cli import main

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0


async def isthmus(socket: Path, verb: str, *arguments: str, stdin: str = "") -> Result:
    """Runs a command to its end, beside the server in this process that listens on a socket."""
    given = [verb, "--server", f"unix:{socket}", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, main, given, stdin)


def command(socket: Path, verb: str, *arguments: str) -> list[str]:
    """The command as a process is started with."""
    return [sys.executable, "-m", "controlplane", verb, "--server", f"unix:{socket}", *arguments]


@asynccontextmanager
async def running(socket: Path, verb: str, *arguments: str) -> AsyncIterator[Process]:
    """A command that runs while the context lasts, or ends by itself."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *command(socket, verb, *arguments), stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Reads to the end, so that the pipes are closed.
        await process.communicate()


async def printed(process: Process, number: int) -> list[str]:
    """The next lines that a command prints."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        lines = [(await process.stdout.readline()).decode() for _ in range(number)]
        if not all(lines):
            assert process.stderr is not None
            raise AssertionError(f"ended, and said {(await process.stderr.read()).decode()!r}")
    return [line.rstrip("\n") for line in lines]
