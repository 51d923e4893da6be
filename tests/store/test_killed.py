"""SQLite's promise: what was acknowledged outlives the process, whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from controlplane.store.interface import Batch, Scope, Store
from controlplane.store.sqlite import opened

PROGRAM = Path(__file__).with_name("writer_to_kill.py")
ROUNDS = 200
KEYS = 5
START_SECONDS = 1.0


class Program:
    """The program that is killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asked, self._told = process.stdin, process.stdout

    def round(self, seconds: float) -> list[tuple[int, int, int]]:
        """What was acknowledged until the process was killed, so long after its first acknowledgement."""
        self._asked.write("go\n")
        self._asked.flush()
        pid, acknowledged, timer = 0, list[tuple[int, int, int]](), None
        while (line := self._told.readline()) != "end\n":
            assert line, "the program ended by itself"
            first, *rest = line.split()
            if first == "pid":
                pid = int(rest[0])
            else:
                acknowledged.append((int(first), int(rest[0]), int(rest[1])))
            if pid and acknowledged and timer is None:
                timer = Timer(seconds, os.kill, (pid, signal.SIGKILL))
                timer.start()
        return acknowledged


async def _history(store: Store, after: int) -> list[Batch]:
    """Every transaction since a revision."""
    last = await store.revision()
    batches: list[Batch] = []
    watch = store.watch(Scope(), after=after)
    while after < last:
        batch = await anext(watch)
        batches.append(batch)
        after = batch.revision
    await watch.aclose()
    return batches


async def _examine(database: Path, after: int) -> tuple[float, list[Batch], int]:
    """Seconds until the store is open, every transaction since a revision, and the last revision; then forgets them."""
    begin = time.perf_counter()
    async with opened(database, lambda _: None, backups=database.parent) as store:
        seconds = time.perf_counter() - begin
        batches, last = await _history(store, after), await store.revision()
        await store.compact(last)
    return seconds, batches, last


@pytest.mark.live
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    """Killed at a random instant while four write, 200 times: acknowledged batches are there, all whole, within 1 s."""
    chance = random.Random(7)  # noqa: S311 - instants, not secrets
    database, after = tmp_path / "isthmus.db", 1
    command = [sys.executable, str(PROGRAM), str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        program = Program(process)
        for _ in range(ROUNDS):
            acknowledged = program.round(chance.uniform(0, 0.04))
            seconds, batches, after = asyncio.run(_examine(database, after))
            kept = {
                (event.key.namespace, event.now.value, batch.revision)
                for batch in batches
                for event in batch.events
                if event.now is not None
            }

            assert {(str(w), b"%d" % number * 100, revision) for w, number, revision in acknowledged} <= kept
            assert {KEYS} == {len(batch.events) for batch in batches}
            assert len(kept) == len(batches)
            assert seconds < START_SECONDS
