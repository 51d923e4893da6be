"""A whole file of manifests, from its bytes to what it stands for.

In: bytes, and the path they came from. Out: an observation for `folder.Folder`. Law: one document's defect is its own;
only a file that cannot be split into documents is broken as a whole.
"""

from __future__ import annotations

from dataclasses import replace

from controlplane.model.change import Object, ObjectKey
from controlplane.model.problem import Problem
from controlplane.sources.decode import Bad, Outcome, decode, identify
from controlplane.sources.documents import Document, Limits, Unreadable, documents
from controlplane.sources.fields import plain
from controlplane.sources.folder import Broken, Content, Folder


def read(data: bytes, path: str, limits: Limits) -> Content | Broken:
    """What the file at `path` holds."""
    return observed(documents(data, path, limits))


def observed(found: tuple[Document, ...] | Unreadable) -> Content | Broken:
    """What the documents of a file stand for."""
    if isinstance(found, Unreadable):
        return Broken(found.problem)
    return Content(tuple(outcome for document in found for outcome in _outcomes(document)))


def decoded(data: bytes, path: str) -> tuple[tuple[tuple[ObjectKey, Object], ...], tuple[Problem, ...]]:
    """The objects of one text, sorted by key, and all that is wrong with the rest."""
    folder = Folder()
    folder.observe({path: read(data, path, Limits(size=len(data)))})
    return tuple(sorted(folder.in_force.items(), key=lambda item: item[0])), folder.problems


def _outcomes(document: Document) -> tuple[Outcome, ...]:
    if document.problem is None:
        return decode(document.body, document.origin)
    key = identify(document.body)
    return (Bad(document.origin, key, (replace(document.problem, subject=plain(str(key)) if key else ""),)),)
