from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change as FileChange

from controlplane.sources.watch import Watcher

A, B = (FileChange.added, "/a"), (FileChange.modified, "/b")


class Watch:
    """A watch that reports what it is told to."""

    def __init__(self) -> None:
        self.started = self.ended = False
        self.reports: asyncio.Queue[set[tuple[FileChange, str]]] = asyncio.Queue()

    async def awatch(self, *_: Path, **__: object) -> AsyncIterator[set[tuple[FileChange, str]]]:
        """Stands for watchfiles.awatch."""
        self.started = True
        try:
            while True:
                yield await self.reports.get()
                self.reports.task_done()
        finally:
            self.ended = True


async def test_the_watch_is_in_place_as_long_as_it_is_entered() -> None:
    """Whoever has entered a watcher misses nothing, and leaving it ends the watch."""
    watch = Watch()
    async with Watcher((Path("/"),), recursive=True, step_ms=1, awatch=watch.awatch):
        started, ended = watch.started, watch.ended

    assert started
    assert not ended
    assert watch.ended


async def test_reports_gather_until_they_are_taken() -> None:
    """Reports that come while nobody asks are handed out together, once; then there are none."""
    watch = Watch()
    async with Watcher((Path("/"),), recursive=True, step_ms=1, awatch=watch.awatch) as watcher:
        watch.reports.put_nowait({A})
        watch.reports.put_nowait({B})
        await watch.reports.join()
        first = await watcher.reports(10.0)
        second = await watcher.reports(0.0)

    assert first == {A, B}
    assert second == frozenset()
