"""Manifests judged offline, by the same readers that serve them.

In: a file, a folder, or a text. Out: how many objects would be in force, and all that is wrong with the rest, objects
defined twice included. Law: nothing is judged here that a running source would judge otherwise.
"""

from __future__ import annotations

from pathlib import Path

from controlplane.model.problem import Origin, Problem
from controlplane.sources.disk import list_folder
from controlplane.sources.documents import Limits
from controlplane.sources.folder import Folder, Gone
from controlplane.sources.manifest import read
from controlplane.sources.reading import observe_files


def validate(path: Path, limits: Limits | None = None) -> tuple[int, tuple[Problem, ...]]:
    """The number of objects that hold in a file, or in a folder and below, and the Problems of the others, sorted."""
    limits = limits or Limits()
    listing = list_folder(path) if path.is_dir() else None
    files = [str(path)] if listing is None else listing.files
    folder = Folder()
    observed = observe_files(files, limits)
    folder.observe(observed)
    missing = (_missing(file) for file, observation in observed.items() if isinstance(observation, Gone))
    unlisted = () if listing is None else listing.unlisted.values()
    return len(folder.in_force), tuple(sorted((*folder.problems, *missing, *unlisted)))


def validate_text(data: bytes, name: str = "-", limits: Limits | None = None) -> tuple[int, tuple[Problem, ...]]:
    """The same for one text, such as standard input; `name` stands for its path in the Problems."""
    folder = Folder()
    folder.observe({name: read(data, name, limits or Limits())})
    return len(folder.in_force), folder.problems


def _missing(path: str) -> Problem:
    return Problem(Origin(path), "", "", "is not there", "give the path of a file or folder")
