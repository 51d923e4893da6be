"""A watched folder of manifests as a source of Changes.

In: a folder, and somebody to tell of Problems. Out: what its files define, then `Synced`, then each change. Law: once
started, nothing that happens to the folder ends the source: what cannot be read is a Problem, and what it gave before
stays in force; that holds for the folder itself, too, so that a mount that fails takes no API down.

A file that is renamed into the folder is whole and is read at once. One that is written in place is read when it has
been quiet for a moment, and one that disappears is missed only if it has not come back by then: many editors save that
way, and half a manifest can be a valid one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import watchfiles
from watchfiles import Change as FileChange

from controlplane.errors import StartError
from controlplane.model.change import Change, ObjectKey, Synced
from controlplane.model.problem import Origin, Problem
from controlplane.sources.documents import Limits
from controlplane.sources.reading import Ahead
from controlplane.sources.settle import Settling
from controlplane.sources.tree import Meaning, Tree
from controlplane.sources.watch import PROMPT_STEP_MS, Awatch, Reports, Watcher

# How often the folder itself is looked at: a watch says nothing of a folder that was replaced by another.
_TICK_SECONDS: Final = 1.0
_RETURN_SECONDS: Final = 0.2


class FilesSource:
    """The manifests (.yaml, .yml, .json) in a folder and below, but for hidden names and editors' spare copies."""

    name: Final = "files"

    def __init__(
        self,
        folder: Path,
        report: Callable[[tuple[Problem, ...]], None],
        *,
        limits: Limits | None = None,
        compare_seconds: float = 30.0,
        awatch: Awatch = watchfiles.awatch,
        ahead: Callable[[], Ahead] = Ahead,
    ) -> None:
        """`report` gets all Problems there are, whenever they are others than before.

        Every `compare_seconds` the whole folder is compared with what is known: systems drop reports under load, and
        report nothing of a file that only a link leads to. `ahead` is waited for, in a thread, before files are read.
        """
        self._root = folder.absolute()
        self._report = report
        self._compare_seconds = compare_seconds
        self._awatch = awatch
        self._tree = Tree(self._root, limits or Limits(), ahead)
        self._settling = Settling()
        self._compare_at = 0.0
        self._reported: tuple[Problem, ...] = ()

    def origin(self, key: ObjectKey) -> Origin | None:
        """The file and document in which the object in force under the key was read, None when in none."""
        return self._tree.origin(key)

    async def changes(self) -> AsyncIterator[tuple[Change, ...]]:
        """All that is there, `Synced`, then each change; see `Source`.

        Raises:
            StartError: when the folder is not there at the start.
        """
        if not await asyncio.to_thread(self._root.is_dir):
            raise StartError(f"{self._root} is not a folder; make it, or correct the setting manifests")
        synced = False
        while True:
            async with self._watcher() as watcher:
                identity = self._tree.identity()
                if changes := await self._compare(watcher):
                    yield changes
                if not synced:
                    synced = True
                    yield (Synced(self.name),)
                while identity and self._tree.identity() == identity:
                    if changes := await self._next(watcher):
                        yield changes
            if not self._tree.identity():
                await asyncio.sleep(_RETURN_SECONDS)

    def _watcher(self) -> Watcher:
        return Watcher((self._root,), recursive=True, step_ms=PROMPT_STEP_MS, awatch=self._awatch)

    async def _next(self, watcher: Watcher) -> tuple[Change, ...]:
        """The Changes of what is reported or falls due next; there may be none."""
        clock = asyncio.get_running_loop().time
        due = self._settling.next_due()
        reports = await watcher.reports(_TICK_SECONDS if due is None else max(0.0, due - clock()))
        if self._note(reports, clock()) or clock() >= self._compare_at:
            return await self._compare(watcher)
        paths = self._settling.take(clock())
        if not paths:
            return ()
        changes = await asyncio.to_thread(self._tree.read, paths)
        self._tell(watcher)
        return changes

    async def _compare(self, watcher: Watcher) -> tuple[Change, ...]:
        clock = asyncio.get_running_loop().time
        # Due files are among those that differ; those still being written are left alone.
        self._settling.take(clock())
        changes = await asyncio.to_thread(self._tree.compare, self._settling.waiting())
        self._compare_at = clock() + self._compare_seconds
        self._tell(watcher)
        return changes

    def _note(self, reports: Reports, now: float) -> bool:
        """Takes reports in; True when they call for comparing everything."""
        kinds: dict[str, set[FileChange]] = {}
        for kind, path in reports:
            kinds.setdefault(path, set()).add(kind)
        compare = False
        for path, reported in kinds.items():
            match self._tree.meaning(path):
                case Meaning.FOLDER:
                    compare = True
                case Meaning.FILE:
                    self._settling.note(path, now, whole=reported == {FileChange.added})
        return compare

    def _tell(self, watcher: Watcher) -> None:
        problems = self._tree.problems
        if watcher.polling:
            message = "the system has no file watches left, so changes are looked for three times a second"
            remedy = "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
            problems = (Problem(Origin(str(self._root)), "", "", message, remedy), *problems)
        if problems != self._reported:
            self._reported = problems
            self._report(problems)
