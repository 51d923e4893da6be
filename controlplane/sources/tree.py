"""A folder of manifests on the disk, compared with what is known of it.

In: paths that may have changed, or the wish to compare everything. Out: the Changes, and the Problems there are. Law: a
folder that cannot be looked into, the topmost included, is not an empty folder: what it gave stays in force.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from enum import Enum
from pathlib import Path

from controlplane.model.change import Change, ObjectKey
from controlplane.model.problem import Origin, Problem
from controlplane.sources.disk import Listing, Signature, is_manifest, list_folder, signature
from controlplane.sources.documents import Limits
from controlplane.sources.folder import Broken, Folder, Gone
from controlplane.sources.reading import Ahead, observe_files


class Meaning(Enum):
    """What a report of a path is about."""

    NOTHING = 0
    FILE = 1
    FOLDER = 2


class Tree:
    """The manifests below one folder. Its methods read the disk: call them where that may take time."""

    def __init__(self, root: Path, limits: Limits, ahead: Callable[[], Ahead] = Ahead) -> None:
        """`ahead` is waited for once: files that are as they were when they were read ahead are not read again."""
        self._root = str(root)
        self._limits = limits
        self._ahead = ahead
        self._folder = Folder()
        self._listing = Listing({}, frozenset(), {})
        self._seen: dict[str, Signature] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with the files and folders now, sorted."""
        return tuple(sorted((*self._folder.problems, *self._listing.unlisted.values())))

    def origin(self, key: ObjectKey) -> Origin | None:
        """The file and document in which the object in force under the key was read."""
        return self._folder.origin(key)

    def identity(self) -> Signature:
        """What tells the folder from another under its name; empty when there is none."""
        return signature(self._root)[:2]

    def meaning(self, path: str) -> Meaning:
        """Whether a report of `path` calls for reading one file, for comparing everything, or for nothing."""
        folder, _, name = path.rpartition(os.sep)
        if folder in self._listing.folders and is_manifest(name) and not Path(path).is_dir():
            return Meaning.FILE
        hidden = next((part for part in Path(os.path.relpath(path, self._root)).parts if part.startswith(".")), "")
        if hidden:
            # Kubernetes swaps the content of a mounted ConfigMap by pointing the link "..data" elsewhere; the visible
            # names lead through it and do not change themselves.
            return Meaning.FOLDER if hidden.startswith("..") else Meaning.NOTHING
        if folder in self._listing.folders and path not in self._listing.folders and not Path(path).is_dir():
            return Meaning.NOTHING
        return Meaning.FOLDER

    def compare(self, waiting: Collection[str]) -> tuple[Change, ...]:
        """Reads every file that is not as it was, but those `waiting`; gives the Changes that follow."""
        self._listing = list_folder(Path(self._root))
        changed = {path for path, now in self._listing.files.items() if self._seen.get(path) != now}
        missing = {path for path in self._seen.keys() - self._listing.files.keys() if not self._hidden_by_fault(path)}
        return self.read((changed | missing).difference(waiting))

    def read(self, paths: Collection[str]) -> tuple[Change, ...]:
        """Reads these files, whatever they were; gives the Changes that follow."""
        ahead, self._ahead = self._ahead().seen, Ahead
        # Taken before the files are read: a change while one is read shows at the next comparison.
        self._seen.update((path, signature(path)) for path in paths)
        observed = {path: ahead[path][1] for path in paths if path in ahead and self._seen[path] == ahead[path][0]}
        observed |= observe_files([path for path in paths if path not in observed], self._limits)
        if not self.identity():
            return ()
        for path, observation in observed.items():
            if isinstance(observation, Gone):
                del self._seen[path]
            elif isinstance(observation, Broken):
                # What failed may be mended without a trace on the file (too many files were open), so that it counts
                # as changed at every comparison.
                self._seen[path] = ()
        return self._folder.observe(observed)

    def _hidden_by_fault(self, path: str) -> bool:
        return any(path.startswith(folder + os.sep) for folder in self._listing.unlisted)
