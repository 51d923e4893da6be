"""Comparing and pruning objects by their schema.

In: two objects of one kind, or an object and a set of paths. Out: what differs, or what remains. Law: the
same answers as structured-merge-diff's typed values: an atomic list or map is one leaf, an entry of a keyed list is
known by its keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controlplane.resources import fieldpath
from controlplane.resources.fieldpath import VALUE, Element, Path, Paths
from controlplane.resources.schema import List, Map, Scalar, Shape, Struct
from controlplane.resources.values import Json, JsonObject, same

ABSENT: Final = object()
"""What stands where nothing is written; null is a value."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between an object and a later one."""

    removed: Paths
    modified: Paths
    added: Paths


def compare(before: JsonObject, after: JsonObject, shape: Shape) -> Comparison:
    """The paths that were removed, changed and added."""
    walk = _Compare()
    walk.values(before, after, shape, ())
    return Comparison(frozenset(walk.removed), frozenset(walk.modified), frozenset(walk.added))


def without(value: Json, paths: Paths, shape: Shape) -> Json:
    """The value without the entries at `paths`; None when nothing is left of a container."""
    if isinstance(shape, Scalar):
        return value
    if not value or shape.atomic:
        return None
    if isinstance(shape, List):
        kept = []
        for item in items(value):
            element = list_element(item, shape)
            if (element,) in paths:
                continue
            below = fieldpath.under(paths, element)
            kept.append(without(item, below, shape.element) if below else item)
        return kept or None
    left: JsonObject = {}
    for name, inner in entries(value).items():
        if (fieldpath.field(name),) in paths:
            continue
        below = fieldpath.under(paths, fieldpath.field(name))
        inner_shape = element_shape(shape, name)
        left[name] = without(inner, below, inner_shape) if below and inner_shape is not None else inner
    return left or None


def field_set(value: Json, shape: Shape) -> Paths:
    """Every path that whoever writes this value owns."""
    return frozenset(_fields(value, shape, ()))


def element_shape(shape: Struct | Map, name: str) -> Shape | None:
    """The shape of a field, None when there is no such field."""
    if isinstance(shape, Map):
        return shape.element
    known = shape.fields.get(name)
    return None if known is None else known.shape


def list_element(item: Json, shape: List) -> Element:
    """The path element of an entry of a keyed list or a set; an absent key counts as its default."""
    if not shape.keys:
        return (VALUE, fieldpath.ranked(item))
    fields = shape.element.fields if isinstance(shape.element, Struct) else {}
    given = {name: get(item, name, fields[name].default) for name in shape.keys}
    # An entry that leaves a key out is another entry than one that has it.
    return fieldpath.key((name, value) for name, value in given.items() if value is not None)


class _Compare:
    """One comparison."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self) -> None:
        self.removed: set[Path] = set()
        self.modified: set[Path] = set()
        self.added: set[Path] = set()

    def values(self, before: Json, after: Json, shape: Shape, path: Path) -> None:
        """Compares two values, of which at most one is ABSENT."""
        leaf = is_leaf(before, after, shape)
        if isinstance(shape, List) and not leaf:
            self.lists(before, after, shape, path)
        elif isinstance(shape, Struct | Map) and not leaf:
            for name in {**entries(before), **entries(after)}:
                element = element_shape(shape, name)
                if element is not None:
                    self.values(get(before, name), get(after, name), element, (*path, fieldpath.field(name)))
        if not path:
            return
        if before is ABSENT:
            self.added.add(path)
        elif after is ABSENT:
            self.removed.add(path)
        elif leaf and not same(before, after):
            self.modified.add(path)

    def lists(self, before: Json, after: Json, shape: List, path: Path) -> None:
        """Compares two lists by their entries' keys; entries that share a key are compared together."""
        old, new = _by_element(before, shape), _by_element(after, shape)
        for element in {**old, **new}:
            left, right, inner = old.get(element, []), new.get(element, []), (*path, element)
            if len(left) <= 1 and len(right) <= 1:
                self.values(left[0] if left else ABSENT, right[0] if right else ABSENT, shape.element, inner)
            elif len(left) > 1 and len(right) > 1:
                if not same(left, right):
                    self.modified.add(inner)
            elif len(left) > 1:
                if right:
                    self.values(ABSENT, right[0], shape.element, inner)
                self.removed.add(inner)
            else:
                if left:
                    self.values(left[0], ABSENT, shape.element, inner)
                self.added.add(inner)


def is_leaf(before: Json, after: Json, shape: Shape) -> bool:
    """True for what is replaced whole: scalars, what is atomic, and containers that are empty on both sides."""
    return isinstance(shape, Scalar) or shape.atomic or not (_filled(before) or _filled(after))


def _filled(value: Json) -> bool:
    return value is not ABSENT and bool(value)


def _fields(value: Json, shape: Shape, path: Path) -> Iterator[Path]:
    if isinstance(shape, Scalar) or shape.atomic:
        yield path
    elif isinstance(shape, List):
        for element, items in _by_element(value, shape).items():
            if len(items) == 1:
                yield from _fields(items[0], shape.element, (*path, element))
            yield (*path, element)
    else:
        for name, inner in entries(value).items():
            element_of = element_shape(shape, name)
            if element_of is None:
                continue
            below = (*path, fieldpath.field(name))
            yield from _fields(inner, element_of, below)
            if inner is None or inner == {} or isinstance(shape, Map):
                yield below


def _by_element(value: Json, shape: List) -> dict[Element, list[Json]]:
    found: dict[Element, list[Json]] = {}
    for item in items(value):
        found.setdefault(list_element(item, shape), []).append(item)
    return found


def items(value: Json) -> list[Json]:
    """The entries of a list, none when it is no list."""
    return value if isinstance(value, list) else []


def entries(value: Json) -> JsonObject:
    """The fields of an object, none when it is no object."""
    return value if isinstance(value, dict) else {}


def get(value: Json, name: str, default: Json = ABSENT) -> Json:
    """The value of a field, `default` when it is not there."""
    return value.get(name, default) if isinstance(value, dict) else default
