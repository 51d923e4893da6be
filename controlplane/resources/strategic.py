"""The strategic merge patch: a merge patch that knows which lists have keys.

In: a document, a patch and the schema. Out: the patched document. Law: keyed lists merge by their first key and sets by
value, anything else is replaced. Specification: Kubernetes' strategic merge patch, with $patch, $retainKeys,
$deleteFromPrimitiveList and $setElementOrder.
"""

from __future__ import annotations

from typing import Final

from controlplane.resources.schema import List, Map, Shape, Struct
from controlplane.resources.typed import element_shape
from controlplane.resources.values import Json, JsonObject, copied, encoded, same

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


class UnmergeableError(Exception):
    """A patch that cannot be merged; the sentence says why."""


def strategic_merge(document: JsonObject, patch: JsonObject, shape: Struct) -> JsonObject:
    """The document with the patch merged in; the document given is never changed.

    Raises:
        UnmergeableError: an entry of a keyed list has no key, or a directive is none.
    """
    return _merged(copied(document), patch, shape)


def _merged(document: JsonObject, patch: JsonObject, shape: Shape | None) -> JsonObject:
    match patch.get(_PATCH):
        case None | "merge":
            pass
        case "replace":
            return {name: _plain(value) for name, value in patch.items() if name != _PATCH and value is not None}
        case "delete":
            return {}
        case other:
            raise UnmergeableError(f"Unknown patch type found: {other}")
    document = _reduced(document, patch)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            document.pop(name, None)
        else:
            inner = element_shape(shape, name) if isinstance(shape, Struct | Map) else None
            document[name] = _field(document.get(name), value, inner, patch.get(_ORDER + name))
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        inner = element_shape(shape, field) if isinstance(shape, Struct | Map) else None
        given = document.get(field)
        if name.startswith(_ORDER) and field not in patch and isinstance(inner, List) and isinstance(given, list):
            document[field] = _ordered(given, given, _list_in(order), inner)
    return document


def _reduced(document: JsonObject, patch: JsonObject) -> JsonObject:
    """The document without what directives take away."""
    if _RETAIN in patch:
        kept = _list_in(patch[_RETAIN])
        document = {name: value for name, value in document.items() if name in kept}
    for name, value in patch.items():
        field = name.removeprefix(_DELETE)
        if name.startswith(_DELETE) and isinstance(document.get(field), list):
            gone = _list_in(value)
            document[field] = [one for one in document[field] if not any(same(one, other) for other in gone)]
    return document


def _list_in(directive: Json) -> list[Json]:
    if not isinstance(directive, list):
        raise UnmergeableError("a directive that names entries is not a list")
    return directive


def _field(before: Json, value: Json, shape: Shape | None, order: list[Json] | None) -> Json:
    if isinstance(value, dict):
        return _merged(before, value, shape) if isinstance(before, dict) else _plain(value)
    if not isinstance(value, list) or not isinstance(shape, List) or shape.atomic:
        return copied(value)
    stood = before if isinstance(before, list) else []
    if shape.keys and any(isinstance(one, dict) and one.get(_PATCH) == "replace" for one in value):
        return [_plain(one) for one in value if not isinstance(one, dict) or one.get(_PATCH) != "replace"]
    return _ordered(_list(stood, value, shape), stood, value if order is None else _list_in(order), shape)


def _list(before: list[Json], entries: list[Json], shape: List) -> list[Json]:
    if not shape.keys:
        return [*before, *(one for one in entries if not any(same(one, old) for old in before))]
    merged = list(before)
    for entry in entries:
        key = _key(entry, shape)
        place = next((at for at, one in enumerate(merged) if same(_key(one, shape), key)), None)
        if entry.get(_PATCH) == "delete":
            merged = [one for one in merged if not same(_key(one, shape), key)]
        elif place is None:
            merged.append(_plain(entry))
        else:
            merged[place] = _merged(merged[place], entry, shape.element)
    return merged


def _ordered(entries: list[Json], stood: list[Json], order: list[Json], shape: List) -> list[Json]:
    """The entries that `order` names in that order, and among them the others as near to their old places as can be."""
    wanted, old = ([_key(one, shape) for one in some] for some in (order, stood))
    known = {encoded(_key(one, shape)): one for one in entries}
    result = [key for key in map(encoded, wanted) if key in known]
    places = {encoded(key): place for place, key in enumerate(old)}
    position = 0
    for key in [encoded(_key(one, shape)) for one in entries]:
        if key in result:
            continue
        # Before the first entry that stood behind it.
        while position < len(result) and places.get(key, len(old)) >= places.get(result[position], -1):
            position += 1
        result.insert(position, key)
        position += 1
    return [known[key] for key in result]


def _key(entry: Json, shape: List) -> Json:
    """The merge key of an entry: the first of its keys, or a set's value itself."""
    if not shape.keys:
        return entry
    name = shape.keys[0]
    if not isinstance(entry, dict) or entry.get(name) is None:
        raise UnmergeableError(f"map: {encoded(entry)} does not contain declared merge key: {name}")
    return entry[name]


def _plain(value: Json) -> Json:
    """The value without directives and nulls, for a place where there is nothing to merge with."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None and not name.startswith("$")}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
