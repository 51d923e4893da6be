"""Manifests that are given to a command with -f.

In: files, folders, standard input. Out: the objects in them, each with where it stands, and a sentence for each of the
rest. Law: what is wrong with one object or file costs no other; nothing that a Secret holds is in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import click

from controlplane.cli.api.connection import Namespace
from controlplane.errors import IsthmusError
from controlplane.model.problem import Origin, Problem
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.values import JsonObject
from controlplane.sources.disk import is_manifest
from controlplane.sources.documents import Document, Limits, Unreadable, documents
from controlplane.sources.fields import plain, shown

STDIN: Final = "-"

_LIMITS: Final = Limits(size=256 * 1024 * 1024, values=20_000_000)
_LIST: Final = "List"
_KNOWN: Final = ", ".join(KINDS)


class NoManifestsError(IsthmusError):
    """What -f names cannot be read at all; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as somebody wrote it; `place` is where, and `namespace` is "" for kinds without."""

    place: str
    kind: Kind
    namespace: str
    name: str
    # As JSON. It may be a Secret.
    text: str = field(repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two different objects have in common."""
        return (self.kind.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Given:
    """All that was given: the objects in their order, and a sentence for each defect."""

    objects: tuple[Manifest, ...]
    defects: tuple[str, ...] = ()


def filenames(*, required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options -f and -R, as `paths` and `recursive`."""
    given = click.option(
        "-f",
        "--filename",
        "paths",
        multiple=True,
        required=required,
        type=click.Path(path_type=Path, allow_dash=True),
        help="A file of manifests, a folder, or - for standard input; can be given again.",
    )
    below = click.option("-R", "--recursive", is_flag=True, help="Read the folders within the folders of -f, too.")
    return lambda command: given(below(command))


def read(paths: Iterable[Path], namespace: Namespace, *, recursive: bool, stdin: Callable[[], bytes]) -> Given:
    """The objects in files, folders and standard input; the namespace is that of objects that say none.

    Raises:
        NoManifestsError: when one of the paths cannot be looked into.
    """
    objects: list[Manifest] = []
    defects: list[str] = []
    for path, content in _contents(paths, recursive=recursive, stdin=stdin):
        for document in _documents(content, path):
            for outcome in _outcomes(document, namespace):
                if isinstance(outcome, Manifest):
                    objects.append(outcome)
                else:
                    defects.append(outcome)
    return Given(tuple(objects), tuple(defects))


def _contents(
    paths: Iterable[Path], *, recursive: bool, stdin: Callable[[], bytes]
) -> Iterator[tuple[str, bytes | OSError]]:
    for path in paths:
        if str(path) == STDIN:
            yield "STDIN", stdin()
            continue
        if str(path).startswith(("http:/", "https:/")):
            raise NoManifestsError(f"error: {path} is not fetched; fetch it, and give the file, or - and a pipe")
        files = _files(path, recursive=recursive)
        if not files:
            raise NoManifestsError(f"error: {path} has no file that ends in .yaml, .yml or .json; give another, or -R")
        for file in files:
            try:
                yield str(file), file.read_bytes()
            except OSError as error:
                yield str(file), error


def _files(path: Path, *, recursive: bool) -> list[Path]:
    found: list[Path] = []
    try:
        if not path.is_dir():
            if not path.exists():
                raise NoManifestsError(f'error: the path "{path}" does not exist; give that of a file or folder')
            return [path]
        for entry in sorted(path.iterdir()):
            if not entry.is_dir():
                found += [entry] if is_manifest(entry.name) else []
            elif recursive and not entry.is_symlink() and not entry.name.startswith("."):
                found += _files(entry, recursive=True)
    except OSError as error:
        raise NoManifestsError(f"error: {path} cannot be looked into ({error.strerror}); make it readable") from error
    return found


def _documents(content: bytes | OSError, path: str) -> tuple[Document, ...]:
    if isinstance(content, OSError):
        message = f"cannot be read ({content.strerror})"
        return (_unread(Problem(Origin(path), "", "", message, "make it readable, or leave it out")),)
    found = documents(content, path, _LIMITS)
    if not isinstance(found, Unreadable):
        return found
    texts = _one_after_another(content) if content.lstrip().startswith(b"{") else ()
    if not texts:
        return (_unread(found.problem),)
    return tuple(
        _numbered(document, Origin(path, number))
        for number, text in enumerate(texts, 1)
        for document in _documents(text, path)
    )


def _one_after_another(content: bytes) -> tuple[bytes, ...]:
    """JSON texts that follow one another, as jq writes them; nothing when it is something else."""
    decoder, texts = json.JSONDecoder(), []
    try:
        text = content.decode()
        begin = _after_blanks(text, 0)
        while begin < len(text):
            _, end = decoder.raw_decode(text, begin)
            texts.append(text[begin:end].encode())
            begin = _after_blanks(text, end)
    except (ValueError, RecursionError):
        return ()
    return tuple(texts) if len(texts) > 1 else ()


def _after_blanks(text: str, begin: int) -> int:
    while begin < len(text) and text[begin].isspace():
        begin += 1
    return begin


def _numbered(document: Document, origin: Origin) -> Document:
    problem = document.problem
    return Document(origin, document.body, None if problem is None else replace(problem, origin=origin))


def _unread(problem: Problem) -> Document:
    return Document(problem.origin, {}, problem)


def _outcomes(document: Document, namespace: Namespace) -> Iterator[Manifest | str]:
    if document.problem is not None:
        yield f"error: {document.problem}"
    else:
        yield from _within(document.body, document.origin, "", namespace)


def _within(body: Mapping[str, object], origin: Origin, within: str, namespace: Namespace) -> Iterator[Manifest | str]:
    name = body.get("kind")
    items = body.get("items")
    if not isinstance(name, str) or not name.endswith(_LIST) or not isinstance(items, list):
        yield _manifest(dict(body), origin, within, namespace)
        return
    # The items of a typed list may leave out what the list says of them.
    kind = name.removesuffix(_LIST)
    known = {"apiVersion": body.get("apiVersion"), "kind": kind} if kind else {}
    for number, item in enumerate(items):
        place = f"{within}items[{number}]"
        if isinstance(item, Mapping):
            yield from _within({**known, **item}, origin, f"{place}.", namespace)
        else:
            yield f"error: {origin}: {place} is {shown(item)}; write an object with apiVersion and kind there"


def _manifest(body: JsonObject, origin: Origin, within: str, namespace: Namespace) -> Manifest | str:
    place = f"{origin}, {within.removesuffix('.')}" if within else str(origin)
    api_version, name = body.get("apiVersion"), body.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None or kind.api_version != api_version:
        return (
            f"error: {place}: no matches for kind {shown(name)} in version {shown(api_version)}; write one of "
            f"{_KNOWN}, with its apiVersion"
        )
    metadata = body.get("metadata")
    named = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(named, str) or not named:
        generated = isinstance(metadata, dict) and metadata.get("generateName")
        why = "a name that is generated can be made once, and not applied" if generated else "it has no name"
        return f"error: {place}: {kind.kind}: {why}; write metadata.name"
    if not kind.namespaced:
        return _written(place, kind, "", named, body)
    said = metadata.get("namespace") or namespace.name
    if said != namespace.name and namespace.given:
        return (
            f"error: {place}: {kind.kind} {shown(named)} is in the namespace {shown(said)}, and -n says "
            f"{shown(namespace.name)}; give -n {plain(str(said))}, or none"
        )
    return _written(place, kind, str(said), named, {**body, "metadata": {**metadata, "namespace": said}})


def _written(place: str, kind: Kind, namespace: str, name: str, body: JsonObject) -> Manifest | str:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return f"error: {place}: {kind.kind} {shown(name)}: a number in it is infinite; write another"
    return Manifest(place, kind, namespace, name, text)
