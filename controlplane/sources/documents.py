"""The documents in a file of manifests, YAML or JSON.

In: bytes, and the path they came from. Out: the mappings they hold, numbered from 1, and the Problems of those that
cannot be read. Law: the work is bounded by the size of the text, whatever the text says: aliases are counted before
they are followed, nesting is bounded, and a key never silently replaces another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson
import yaml

from controlplane.model.problem import Origin, Problem
from controlplane.sources.fields import plain, shown
from controlplane.sources.scalars import resolve_plain

_TEXT_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:str"})
_MERGE_KEY: Final = "<<"
_FILE_WAITS: Final = "until then nothing in this file is taken over"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read: bytes of a file, values of a document with its aliases followed, levels of nesting."""

    size: int = 3 * 1024 * 1024
    values: int = 500_000
    depth: int = 100


@dataclass(frozen=True, slots=True)
class Document:
    """One document; when there is a `problem`, `body` holds only what was read before it."""

    origin: Origin
    body: Mapping[str, object]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be split into documents: nothing in it can be told from the defect on."""

    problem: Problem


def documents(data: bytes, path: str, limits: Limits) -> tuple[Document, ...] | Unreadable:
    """The documents in `data`, empty ones left out; JSON when it is called so or begins like it, otherwise YAML."""
    if len(data) > limits.size:
        return Unreadable(too_large(path, len(data), limits))
    if path.endswith(".json"):
        return _json(data, path, limits)
    if data.lstrip()[:1] == b"{":
        read = _json(data, path, limits)
        # A YAML mapping may begin with a brace too.
        return _yaml(data, path, limits) if isinstance(read, Unreadable) else read
    return _yaml(data, path, limits)


def too_large(path: str, size: int, limits: Limits) -> Problem:
    """The Problem of a file that is larger than may be read."""
    message = f"the file has {size} bytes, more than the {limits.size} that are read"
    return Problem(Origin(path), "", "", message, "split it into several files")


class _DuplicateKeyError(ValueError):
    """A JSON object that has a key twice."""


def _json(data: bytes, path: str, limits: Limits) -> tuple[Document, ...] | Unreadable:
    text = data.removeprefix(b"\xef\xbb\xbf")
    origin = Origin(path, 1)
    try:
        body = orjson.loads(text)
        # orjson keeps the last of equal keys without a word, so a second reader looks for them and keeps nothing.
        json.loads(text, object_pairs_hook=_no_duplicates, parse_int=str, parse_float=str)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        return Unreadable(Problem(Origin(path), "", "", message, f"mend it; {_FILE_WAITS}"))
    except _DuplicateKeyError as error:
        message = f"the key {shown(str(error))} is there twice"
        return (Document(origin, {}, Problem(origin, "", "", message, "keep one of the two")),)
    except RecursionError:
        message = f"nests deeper than {limits.depth} levels"
        return Unreadable(Problem(origin, "", "", message, f"write it flatter; {_FILE_WAITS}"))
    if not isinstance(body, dict):
        return (Document(origin, {}, _no_mapping(origin)),)
    return (Document(origin, body),)


def _no_duplicates(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _DuplicateKeyError(key)
        seen.add(key)


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being read; `size` counts the values in it, aliases followed."""

    container: dict[str, object] | list[object]
    anchor: str | None
    key: str | None = None
    size: int = 1
    merged: list[Mapping[str, object]] = field(default_factory=list)


class _Mark(Protocol):
    """A place in the text, counted from 0; PyYAML has two classes for it."""

    line: int
    column: int


class _RefusedError(Exception):
    """A document that is well-formed but not taken; `final` when reading on would not be safe."""

    def __init__(self, event: yaml.Event, message: str, remedy: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.message = f"{_place(event.start_mark)}{message}"
        self.remedy = remedy
        self.final = final


class _Reader:
    """Builds one document from YAML events, without recursion: depth costs no stack."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._values = 0
        self.root: object = None

    def take(self, event: yaml.Event) -> None:
        """Takes the next event of the document.

        Raises:
            _RefusedError: when the document is not taken.
        """
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None and not event.implicit[0] and event.tag not in _TEXT_TAGS:
            raise _RefusedError(event, f"the tag {plain(event.tag)} is not read", "write the value without a tag")
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            self._key(frame, frame.container, event)
            return
        value = resolve_plain(event.value) if event.implicit[0] else event.value
        self._place(value, 1, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)

    def _key(self, frame: _Frame, container: dict[str, object], event: yaml.ScalarEvent) -> None:
        if event.value in container:
            raise _RefusedError(event, f"the key {shown(event.value)} is there twice", "keep one of the two")
        frame.key = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (event.value, 1)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        container: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.tag is not None and not event.implicit:
            raise _RefusedError(event, f"the tag {plain(event.tag)} is not read", "write the value without a tag")
        if len(self._stack) >= self._limits.depth:
            # libyaml takes quadratic time in the depth of what it reads: minutes for a file of brackets.
            message = f"nests deeper than {self._limits.depth} levels"
            raise _RefusedError(event, message, f"write it flatter; {_FILE_WAITS}", final=True)
        self._place(container, 1, event)
        self._stack.append(_Frame(container, event.anchor))

    def _close(self) -> None:
        frame = self._stack.pop()
        if isinstance(frame.container, dict):
            for source in frame.merged:
                frame.container.update((key, value) for key, value in source.items() if key not in frame.container)
        if self._stack:
            self._stack[-1].size += frame.size - 1
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.container, frame.size)

    def _alias(self, event: yaml.AliasEvent) -> None:
        # An anchor counts from its end on, so a value cannot contain itself.
        known = self._anchors.get(event.anchor or "")
        if known is None:
            message = f"the alias *{event.anchor} stands before the end of what it names"
            raise _RefusedError(event, message, "write the value itself")
        value, size = known
        self._place(value, size, event)

    def _place(self, value: object, size: int, event: yaml.NodeEvent) -> None:
        self._values += size
        if self._values > self._limits.values:
            message = f"holds more than {self._limits.values} values when its aliases are followed"
            raise _RefusedError(event, message, "write it without aliases, or in several documents")
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        frame.size += size
        if isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is None:
            raise _RefusedError(event, "a key is not a text", "write a plain word before the colon")
        elif frame.key == _MERGE_KEY:
            frame.key = None
            self._merge(frame, value, event)
        else:
            frame.container[frame.key] = value
            frame.key = None

    def _merge(self, frame: _Frame, value: object, event: yaml.NodeEvent) -> None:
        if not isinstance(value, dict) or not isinstance(event, yaml.AliasEvent):
            raise _RefusedError(event, "<< is not followed by the alias of a mapping", "write *NAME after it")
        frame.merged.append(value)


def _yaml(data: bytes, path: str, limits: Limits) -> tuple[Document, ...] | Unreadable:
    read: list[Document] = []
    origin = Origin(path, 0)
    try:
        for origin, root, refused in _yaml_roots(data, path, limits):
            body = root if isinstance(root, dict) else {}
            if refused is not None:
                problem = Problem(origin, "", "", refused.message, refused.remedy)
                if refused.final:
                    return Unreadable(problem)
                read.append(Document(origin, body, problem))
            elif root is not None:
                read.append(Document(origin, body, None if isinstance(root, dict) else _no_mapping(origin)))
    except yaml.MarkedYAMLError as error:
        message = f"is not YAML ({_place(error.problem_mark)}{error.problem})"
        remedy = f"mend it; {_FILE_WAITS}"
        return Unreadable(Problem(Origin(path, origin.document + 1), "", "", message, remedy))
    except yaml.reader.ReaderError as error:
        message = f"is not YAML (byte {error.position}: {error.reason})"
        remedy = f"write it as UTF-8 text; {_FILE_WAITS}"
        return Unreadable(Problem(Origin(path), "", "", message, remedy))
    return tuple(read)


def _yaml_roots(data: bytes, path: str, limits: Limits) -> Iterator[tuple[Origin, object, _RefusedError | None]]:
    number, reader, refused = 0, _Reader(limits), None
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        match event:
            case yaml.DocumentStartEvent():
                number, reader, refused = number + 1, _Reader(limits), None
            case yaml.DocumentEndEvent():
                yield Origin(path, number), reader.root, refused
            case _ if refused is None:
                try:
                    reader.take(event)
                except _RefusedError as refusal:
                    refused = refusal
                    if refusal.final:
                        yield Origin(path, number), reader.root, refusal


def _place(mark: _Mark | None) -> str:
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _no_mapping(origin: Origin) -> Problem:
    return Problem(origin, "", "", "is not a mapping", "write an object with apiVersion, kind and metadata")
