"""JSON patch (RFC 6902).

In: a document and operations. Out: the patched document. Law: the document given is never changed; operations that do
not fit are told in the words of the patcher that kube-apiserver uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from controlplane.resources.values import Json, JsonObject, copied, same

_END: Final = "-"


class UnfitError(Exception):
    """An operation does not fit the document, or is none."""


def json_patch(document: Json, operations: Iterable[JsonObject]) -> Json:
    """The document after all operations, in order.

    Raises:
        UnfitError: an operation is malformed, names what is not there, or is a test that fails.
    """
    document = copied(document)
    for operation in operations:
        document = _done(document, operation)
    return document


def _done(document: Json, operation: JsonObject) -> Json:
    name, path = operation.get("op"), _pointer(operation.get("path"))
    match name:
        case "add":
            return _add(document, path, copied(operation.get("value")), name)
        case "remove":
            return _remove(document, path, name)
        case "replace":
            _find(document, path, name)
            return _put(document, path, copied(operation.get("value")), name)
        case "test":
            return _tested(document, path, operation.get("value"))
        case "move":
            source = _pointer(operation.get("from"))
            value = _find(document, source, name)
            return _add(_remove(document, source, name), path, value, name)
        case "copy":
            value = copied(_find(document, _pointer(operation.get("from")), name))
            return _add(document, path, value, name)
    raise UnfitError(f"Unexpected kind: {name}")


def _tested(document: Json, path: tuple[str, ...], wanted: Json) -> Json:
    try:
        found = _find(document, path, "test")
    except UnfitError:
        if wanted is None:
            return document
        raise
    if not same(found, wanted):
        raise UnfitError(f"testing value {_shown(path)} failed: test failed")
    return document


def _pointer(text: Json) -> tuple[str, ...]:
    if text == "":
        return ()
    if not isinstance(text, str) or not text.startswith("/"):
        raise UnfitError("an operation needs a JSON pointer")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def _find(document: Json, path: tuple[str, ...], name: str) -> Json:
    for step in path:
        document = _child(document, step, path, name)
    return document


def _child(parent: Json, step: str, path: tuple[str, ...], name: str) -> Json:
    if isinstance(parent, dict) and step in parent:
        return parent[step]
    if isinstance(parent, list):
        return parent[_index(step, len(parent))]
    raise UnfitError(f"{name} operation does not apply: doc is missing path: {_shown(path)}: missing value")


def _index(step: str, end: int) -> int:
    try:
        index = int(step)
    except ValueError:
        raise UnfitError(f"strconv.Atoi: parsing {step!r}: invalid syntax") from None
    if not -end <= index < end:
        raise UnfitError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index


def _add(document: Json, path: tuple[str, ...], value: Json, name: str) -> Json:
    if not path:
        return value
    parent = _find(document, path[:-1], name)
    if isinstance(parent, list):
        at = len(parent) if path[-1] == _END else _index(path[-1], len(parent) + 1)
        parent.insert(at, value)
        return document
    return _put(document, path, value, name)


def _put(document: Json, path: tuple[str, ...], value: Json, name: str) -> Json:
    if not path:
        return value
    parent = _find(document, path[:-1], name)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent[_index(path[-1], len(parent))] = value
    else:
        raise UnfitError(f"{name} operation does not apply: doc is missing path: {_shown(path)}: missing value")
    return document


def _remove(document: Json, path: tuple[str, ...], name: str) -> Json:
    if not path:
        raise UnfitError("the whole document cannot be removed")
    parent = _find(document, path[:-1], name)
    _child(parent, path[-1], path, name)
    if isinstance(parent, dict):
        del parent[path[-1]]
    else:
        del parent[_index(path[-1], len(parent))]
    return document


def _shown(path: tuple[str, ...]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
