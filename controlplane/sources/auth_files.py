"""The files that authentication and authorization are configured by, as a source of Changes.

In: what reads all files that count and finds fault with them, and somebody to tell of Problems. Out: the `AuthFiles`,
then `Synced`, then new ones whenever a file is replaced. Law: what comes out has passed; files that break later change
nothing but the Problems: what was good stays in force, all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import watchfiles
from watchfiles import Change as FileChange

from controlplane.errors import SettingsError
from controlplane.model.auth_files import AuthFiles
from controlplane.model.change import AuthFilesChanged, Change, Synced
from controlplane.model.credentials import Secret
from controlplane.model.problem import Origin, Problem
from controlplane.sources.watch import Awatch, Watcher

_QUIET_SECONDS: Final = 0.1
_STEP_MS: Final = 50

Examine: TypeAlias = Callable[[Callable[[Path], bytes]], tuple[Problem, ...]]
"""What reads files, one naming the next, with what it is given, which raises OSError for one that cannot be read.

Harmless faults are returned, any other is raised as a SettingsError.
"""


class AuthFilesSource:
    """Some files that count together."""

    name: Final = "auth files"

    def __init__(
        self,
        examine: Examine,
        report: Callable[[tuple[Problem, ...]], None],
        *,
        compare_seconds: float = 10.0,
        awatch: Awatch = watchfiles.awatch,
    ) -> None:
        """`report` gets all Problems, whenever they are others than before.

        Every `compare_seconds` the files are read again: what only a link leads to is replaced without a report.
        """
        self._examine = examine
        self._report = report
        self._compare_seconds = compare_seconds
        self._awatch = awatch
        self._reported: tuple[Problem, ...] = ()
        self._paths: frozenset[Path] = frozenset()

    async def changes(self) -> AsyncIterator[tuple[Change, ...]]:
        """The files, `Synced`, then each replacement; see `Source`.

        Raises:
            SettingsError: when a file cannot be read or used at the start.
        """
        held, problems = await asyncio.to_thread(self._read)
        self._tell(problems)
        yield (AuthFilesChanged(held), Synced(self.name))
        while True:
            watched = self._paths
            if not watched:
                return
            folders = sorted({path.parent for path in watched if path.parent.is_dir()})
            watcher = Watcher(folders, recursive=False, step_ms=_STEP_MS, wanted=self._counts, awatch=self._awatch)
            async with watcher:
                # Once before the first report: what was replaced before the watch was in force is found here.
                found = await self._found()
                while found is None or found == held:
                    if self._paths != watched:
                        break
                    reports = await watcher.reports(self._compare_seconds)
                    while reports:
                        reports = await watcher.reports(_QUIET_SECONDS)
                    found = await self._found()
            if found is not None and found != held:
                held = found
                yield (AuthFilesChanged(held),)

    def _counts(self, _: FileChange, path: str) -> bool:
        # Kubernetes replaces the files of a mounted Secret by pointing the link "..data" elsewhere.
        return Path(path) in self._paths or Path(path).name.startswith("..")

    async def _found(self) -> AuthFiles | None:
        """The files as they are now, None when they cannot be used."""
        try:
            found, problems = await asyncio.to_thread(self._read)
        except SettingsError as error:
            remedy = "until it is mended, what was good before is in force"
            self._tell((Problem(Origin("authentication"), "", "", str(error), remedy),))
            return None
        self._tell(problems)
        return found

    def _read(self) -> tuple[AuthFiles, tuple[Problem, ...]]:
        contents: dict[Path, Secret] = {}
        named: set[Path] = set()

        def read(path: Path) -> bytes:
            path = path.absolute()
            named.add(path)
            if path not in contents:
                contents[path] = Secret(path.read_bytes())
            return contents[path].reveal()

        try:
            problems = self._examine(read)
        finally:
            # One that cannot be read is waited for too.
            self._paths |= named
        self._paths = frozenset(named)
        return AuthFiles(MappingProxyType(contents)), problems

    def _tell(self, problems: tuple[Problem, ...]) -> None:
        if problems != self._reported:
            self._reported = problems
            self._report(problems)
