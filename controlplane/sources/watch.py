"""The file system's word that something under a path may have changed.

In: paths. Out: what has been reported since the last time of asking. Law: from the moment it is entered, no change goes
by unreported, unless the system drops it; who watches looks again by itself from time to time for that reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

import watchfiles
from watchfiles import Change as FileChange

# awatch looks for reports every `step` ms and hands them on when none came within another: 2 ms make a median of 3 ms
# from the change to the report and cost 0.9 % of a core when nothing happens; 1 ms costs 4 %.
PROMPT_STEP_MS: Final = 2
# Under a steady stream of changes they are handed on after this long all the same.
_DEBOUNCE_MS: Final = 50

Reports: TypeAlias = frozenset[tuple[FileChange, str]]
Awatch: TypeAlias = Callable[..., AsyncIterator[set[tuple[FileChange, str]]]]


class Watcher:
    """A watch on some paths, in force while the object is entered."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        recursive: bool,
        step_ms: int,
        wanted: Callable[[FileChange, str], bool] | None = None,
        awatch: Awatch = watchfiles.awatch,
    ) -> None:
        """`wanted` says which reports count; None: all of them."""
        self._paths = paths
        self._recursive = recursive
        self._step_ms = step_ms
        self._wanted = wanted
        self._awatch = awatch
        self._reported: set[tuple[FileChange, str]] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.polling = False
        """True when the system has no watches left and the paths are compared three times a second instead."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="watch")
        # awatch asks the system for its watches before it first waits, so one turn of the event loop has them in place.
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def reports(self, seconds: float) -> Reports:
        """What was reported and not yet taken, as soon as there is any; nothing when none came within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return frozenset()
        self._news.clear()
        reported, self._reported = frozenset(self._reported), set()
        return reported

    async def _run(self) -> None:
        # A path that is gone, or a watch that breaks for good, ends this without a word: who watches looks by itself
        # whether its paths are there, and compares them from time to time.
        with suppress(OSError, RuntimeError):
            try:
                await self._follow()
            except FileNotFoundError:
                raise
            except PermissionError:
                # Only where a folder is closed to us: with this option awatch is silent about every failure to watch,
                # a lack of watches included.
                await self._follow(ignore_permission_denied=True)
            except (OSError, RuntimeError):
                self.polling = True
                await self._follow(ignore_permission_denied=True, force_polling=True)

    async def _follow(self, **options: bool) -> None:
        watch = self._awatch(
            *self._paths,
            watch_filter=self._wanted,
            step=self._step_ms,
            debounce=_DEBOUNCE_MS,
            recursive=self._recursive,
            **options,
        )
        async for reported in watch:
            self._reported |= reported
            self._news.set()
