"""Sources that are played in a test, and what they say.

In: a source of Changes. Out: its batches and reports, one by one. Law: nothing is taken twice, and waiting has an end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from controlplane.model.change import Change, Reached
from controlplane.model.problem import Problem
from controlplane.sources import Source

_PATIENCE_SECONDS = 10


class Listener:
    """A source's batches and reports, as long as it is entered."""

    def __init__(self, source: Callable[[Callable[[tuple[Problem, ...]], None]], Source]) -> None:
        self._reports: asyncio.Queue[tuple[Problem, ...]] = asyncio.Queue()
        self._batches: asyncio.Queue[tuple[Change, ...]] = asyncio.Queue()
        self._source = source(self._reports.put_nowait)
        self.reached = 0
        """The revision up to which the source said that it has said everything."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._pump())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _pump(self) -> None:
        async for batch in self._source.changes():
            said = tuple(change for change in batch if not isinstance(change, Reached))
            marks = [change.revision for change in batch if isinstance(change, Reached)]
            self.reached = max(marks, default=self.reached)
            if said:
                self._batches.put_nowait(said)

    async def next(self) -> tuple[Change, ...]:
        """The next batch."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._batches.get()

    async def report(self) -> tuple[Problem, ...]:
        """The next report."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._reports.get()

    @property
    def silent(self) -> bool:
        """True when nothing was said that was not taken."""
        return self._batches.empty() and self._reports.empty()
