"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386).

In go a document and a patch; out comes the patched document.
The law: the document given is never changed. A patch that is not well formed is 400; one that is, but does not fit
the document (failed test, missing path), is 422, as in kube-apiserver.
"""

from copy import deepcopy
from typing import Final

from servicecatalog.schemas import JsonValue
from servicecatalog.status import StatusError, bad_request

MAX_OPERATIONS: Final = 10_000
_VALUE_OPERATIONS: Final = frozenset({"add", "replace", "test"})
_FROM_OPERATIONS: Final = frozenset({"move", "copy"})


def merge_patch(document: JsonValue, patch: JsonValue) -> JsonValue:
    """The document with the patch merged in: null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(document: JsonValue, operations: JsonValue) -> JsonValue:
    """The document after all operations, in order.

    Raises:
        StatusError: 400 for a malformed patch, 413 for too many operations, 422 for one that does not apply.
    """
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is an array of operations")
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", message)
    patched = deepcopy(document)
    for operation in operations:
        patched = _apply(patched, operation)
    return patched


def _apply(document: JsonValue, operation: JsonValue) -> JsonValue:
    name, path = _member(operation, "op"), _pointer(_member(operation, "path"))
    if name in _VALUE_OPERATIONS:
        if "value" not in operation:
            raise bad_request(f"error decoding patch: {name} needs a value")
        value = operation["value"]
        if name == "add":
            return _add(document, path, deepcopy(value))
        if name == "replace":
            return _replace(document, path, deepcopy(value))
        if not _same(_find(document, path), value):
            raise _unfit(f"testing value /{'/'.join(path)} failed")
        return document
    if name == "remove":
        return _remove(document, path)
    if name in _FROM_OPERATIONS:
        source = _pointer(_member(operation, "from"))
        value = deepcopy(_find(document, source))
        if name == "copy":
            return _add(document, path, value)
        if path[: len(source)] == source and path != source:
            raise _unfit("move: a value cannot move into itself")
        return _add(_remove(document, source), path, value)
    raise bad_request(f'error decoding patch: unknown operation "{name}"')


def _member(operation: JsonValue, name: str) -> str:
    value = operation.get(name) if isinstance(operation, dict) else None
    if not isinstance(value, str):
        raise bad_request(f'error decoding patch: every operation needs a text "{name}"')
    return value


def _pointer(text: str) -> tuple[str, ...]:
    if text == "":
        return ()
    if not text.startswith("/"):
        raise bad_request(f'error decoding patch: "{text}" is not a JSON pointer')
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def _unfit(why: str) -> StatusError:
    return StatusError(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Equality of JSON values; unlike Python's, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _index(items: list[JsonValue], step: str, *, end: int) -> int:
    if not (step.isascii() and step.isdigit() and len(step) < 10) or (len(step) > 1 and step[0] == "0"):
        raise _unfit(f'"{step}" is not an array index')
    if int(step) >= end:
        raise _unfit(f"index {step} is out of bounds of {len(items)} items")
    return int(step)


def _child(parent: JsonValue, step: str) -> JsonValue:
    if isinstance(parent, dict) and step in parent:
        return parent[step]
    if isinstance(parent, list):
        return parent[_index(parent, step, end=len(parent))]
    raise _unfit(f'there is nothing at "{step}"')


def _find(document: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for step in path:
        document = _child(document, step)
    return document


def _add(document: JsonValue, path: tuple[str, ...], value: JsonValue) -> JsonValue:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, end=len(parent) + 1), value)
    else:
        raise _unfit(f'"{last}" cannot be added to a value that is neither object nor array')
    return document


def _replace(document: JsonValue, path: tuple[str, ...], value: JsonValue) -> JsonValue:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    _child(parent, last)
    if isinstance(parent, dict):
        parent[last] = value
    else:
        parent[int(last)] = value
    return document


def _remove(document: JsonValue, path: tuple[str, ...]) -> JsonValue:
    if not path:
        raise _unfit("the whole document cannot be removed")
    parent, last = _find(document, path[:-1]), path[-1]
    _child(parent, last)
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[int(last)]
    return document
