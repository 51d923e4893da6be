"""Paths into objects, sets of them, and their fieldsV1 form.

In: fieldsV1 JSON, or sets of paths. Out: the other. Law: decode(encode(paths)) == paths. A path is a tuple of elements;
an element is a field (FIELD, name), a list entry by its keys (KEY, ((name, value), ...)), a set's value (VALUE, value)
or a position (INDEX, n). Specification: structured-merge-diff's fieldpath.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from controlplane.resources.schema import List, Map, Shape, Struct
from controlplane.resources.values import Json, JsonObject, encoded, quoted

FIELD: Final = 0
KEY: Final = 1
VALUE: Final = 2
INDEX: Final = 3

Element: TypeAlias = tuple[int, Any]
Path: TypeAlias = tuple[Element, ...]
Paths: TypeAlias = frozenset[Path]

_LETTERS: Final = {"f": FIELD, "k": KEY, "v": VALUE, "i": INDEX}


def field(name: str) -> Element:
    """The element for a field."""
    return (FIELD, name)


def path_of(*names: str) -> Path:
    """The path through fields."""
    return tuple(map(field, names))


def key(names: Iterable[tuple[str, Json]]) -> Element:
    """The element for a list entry with these keys."""
    return (KEY, tuple(sorted((name, ranked(value)) for name, value in names)))


def ranked(value: Json) -> tuple[int, Json]:
    """A scalar that can be compared with scalars of other types: numbers come before texts before booleans."""
    match value:
        case bool():
            return (2, value)
        case int() | float():
            return (0, value)
        case str():
            return (1, value)
    return (3, encoded(value))


def shown(path: Path) -> str:
    """The path as messages print it: .spec.ports[port=80,protocol="TCP"].name."""
    return "".join(_shown(element) for element in path)


def ordered(paths: Iterable[Path]) -> list[Path]:
    """The paths in the order in which they are told: a level's own members first."""
    return sorted(paths, key=lambda path: tuple((step < len(path) - 1, one) for step, one in enumerate(path)))


def under(paths: Paths, element: Element) -> Paths:
    """The rest of the paths that go on beyond `element`."""
    return frozenset(path[1:] for path in paths if len(path) > 1 and path[0] == element)


def without_branches(paths: Paths, roots: Paths) -> Paths:
    """The paths that are neither one of `roots` nor below one."""
    return frozenset(path for path in paths if not any(path[:length] in roots for length in range(1, len(path) + 1)))


def with_named_fields(paths: Paths, shape: Shape) -> Paths:
    """The paths, and every struct field that they pass through."""
    found = set(paths)
    for path in paths:
        at: Shape | None = shape
        for length, (kind, name) in enumerate(path[:-1], 1):
            if isinstance(at, Struct) and kind == FIELD and name in at.fields:
                found.add(path[:length])
            at = _inner(at, kind, name)
    return frozenset(found)


def encode(paths: Iterable[Path]) -> JsonObject:
    """The fieldsV1 form of a set of paths, its keys in order."""
    root: JsonObject = {}
    for path in sorted(paths):
        node = root
        for element in path[:-1]:
            node = node.setdefault(_spelled(element), {})
        node.setdefault(_spelled(path[-1]), {})["."] = {}
    return _folded(root)


def decode(fields: Json) -> Paths:
    """The set of paths that a fieldsV1 value stands for.

    Raises:
        ValueError: it is not of that form.
    """
    found: set[Path] = set()
    pending: list[tuple[Json, Path]] = [(fields, ())]
    while pending:
        node, path = pending.pop()
        if not isinstance(node, dict):
            raise ValueError("fieldsV1 holds something that is not an object")  # noqa: TRY004 - a wrong form, like others
        if path and (not node or "." in node):
            found.add(path)
        pending.extend((inner, (*path, _element(name))) for name, inner in node.items() if name != ".")
    return frozenset(found)


def _inner(shape: Shape | None, kind: int, name: Json) -> Shape | None:
    match shape:
        case Struct() if kind == FIELD and name in shape.fields:
            return shape.fields[name].shape
        case Map() if kind == FIELD:
            return shape.element
        case List() if kind == KEY:
            return shape.element
    return None


def _folded(node: JsonObject) -> JsonObject:
    inner = {name: _folded(value) for name, value in node.items() if name != "."}
    return {".": {}, **inner} if inner and "." in node else inner


def _spelled(element: Element) -> str:
    kind, value = element
    match kind:
        case 0:
            return f"f:{value}"
        case 1:
            return f"k:{encoded({name: inner for name, (_, inner) in value})}"
        case 2:
            return f"v:{encoded(value[1])}"
    return f"i:{value}"


def _shown(element: Element) -> str:
    kind, value = element
    match kind:
        case 0:
            return f".{value}"
        case 1:
            return f"[{','.join(f'{name}={_scalar(inner)}' for name, (_, inner) in value)}]"
        case 2:
            return f"[={_scalar(value[1])}]"
    return f"[{value}]"


def _scalar(value: Json) -> str:
    return quoted(value) if isinstance(value, str) else encoded(value)


def _element(text: str) -> Element:
    letter, colon, rest = text.partition(":")
    kind = _LETTERS.get(letter)
    if not colon or kind is None:
        raise ValueError(f"fieldsV1 holds the key {quoted(text)}, which is none of f:, k:, v: and i:")
    if kind == FIELD:
        return (FIELD, rest)
    value = json.loads(rest)
    if kind == VALUE:
        return (VALUE, ranked(value))
    if kind == KEY:
        if not isinstance(value, dict):
            raise ValueError("fieldsV1 holds a k: that is not an object")
        return key(value.items())
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("fieldsV1 holds an i: that is not a number")  # noqa: TRY004 - a wrong form, like others
    return (INDEX, value)
