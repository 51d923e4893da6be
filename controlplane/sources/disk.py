"""The files of a folder of manifests, as they lie on the disk.

In: a path. Out: the files there are, with a signature that changes when they do. Law: whatever the disk does, the
answer is a value: a folder that cannot be looked into is listed as such.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from controlplane.model.problem import Origin, Problem

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


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _unlisted(path: str, error: OSError) -> Problem:
    message = f"cannot be looked into ({error.strerror}); what was read from it stays in force"
    return Problem(Origin(path), "", "", message, "bring the folder back, readable for the user that Isthmus runs as")
