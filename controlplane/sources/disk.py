"""The files of a folder of manifests, as they lie on the disk.

In: a path. Out: the files there are, with a signature that changes when they do, and what each holds. Law: whatever the
disk does, the answer is a value: a file that cannot be read is an observation like any other.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from controlplane.model.problem import Origin, Problem
from controlplane.sources.documents import Limits, too_large
from controlplane.sources.folder import Broken, Gone, Observation
from controlplane.sources.manifest import read

_SUFFIXES: Final = (".yaml", ".yml", ".json")

Signature: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder and its subfolders hold; `unlisted` are the folders that cannot be looked into, and why."""

    files: Mapping[str, Signature]
    folders: frozenset[str]
    unlisted: Mapping[str, Problem]


def is_manifest(name: str) -> bool:
    """True for the names that are read: not hidden, and ending as YAML and JSON do (editors' spare copies do not)."""
    return not name.startswith(".") and name.lower().endswith(_SUFFIXES)


def list_folder(folder: Path) -> Listing:
    """The manifests in `folder` and below, links followed, each real folder once (a link may lead back up)."""
    files: dict[str, Signature] = {}
    unlisted: dict[str, Problem] = {}
    folders: dict[str, None] = {}
    visited: set[tuple[int, int]] = set()
    waiting = [str(folder)]
    while waiting:
        path = waiting.pop()
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            unlisted[path] = _unlisted(path, error)
            continue
        folders[path] = None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                waiting.append(entry.path)
            elif is_manifest(entry.name):
                files[entry.path] = signature(entry.path)
    return Listing(files, frozenset(folders), unlisted)


def signature(path: str) -> Signature:
    """What changes when the file does; empty when there is nothing to be seen at `path`."""
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def observe_file(path: str, limits: Limits) -> Observation:
    """What the file at `path` holds now; never more than the limit of bytes is read."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        if not Path(path).is_symlink():
            return Gone()
        return Broken(Problem(Origin(path), "", "", "is a link to nothing", "make it lead to a file, or remove it"))
    except OSError as error:
        return Broken(_unreadable(path, error))
    if not stat.S_ISREG(status.st_mode):
        return Broken(Problem(Origin(path), "", "", "is not a regular file", "put the manifests into a plain file"))
    if status.st_size > limits.size:
        return Broken(too_large(path, status.st_size, limits))
    try:
        with Path(path).open("rb") as file:
            data = file.read(limits.size + 1)
    except OSError as error:
        # Gone between the two looks, or (ESTALE) removed on the server of a network file system.
        if error.errno in (errno.ENOENT, errno.ESTALE):
            message = "was removed while it was read"
            return Broken(
                Problem(Origin(path), "", "", message, "nothing need be done if that was meant; or write it again")
            )
        return Broken(_unreadable(path, error))
    return read(data, path, limits)


def _unreadable(path: str, error: OSError) -> Problem:
    remedy = "make it readable for the user that Isthmus runs as"
    return Problem(Origin(path), "", "", f"cannot be read ({error.strerror})", remedy)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _unlisted(path: str, error: OSError) -> Problem:
    message = f"cannot be looked into ({error.strerror}); what was read from it stays in force"
    return Problem(Origin(path), "", "", message, "bring the folder back, readable for the user that Isthmus runs as")
