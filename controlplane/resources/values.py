"""JSON values, and the ways Go compares and prints them.

In: values as a JSON reader gave them. Out: verdicts and texts. Law: true is not 1, and what is printed here is printed
as the messages of the Kubernetes API print it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""Any JSON value: None, bool, int, float, str, list or dict."""
JsonObject: TypeAlias = dict[str, Any]
"""A JSON object."""

_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b"}
_ESCAPES_RARE: Final = {"\f": "\\f", "\v": "\\v"}
_HTML: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_ASCII_LIMIT: Final = 0x80
_WIDE: Final = 0x10000


def same(left: Json, right: Json) -> bool:
    """True when two JSON values are equal."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def copied(value: Json) -> Json:
    """A value that shares no container with the one given."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def at(value: Json, *path: str) -> Json:
    """What stands at a path of field names, None when nothing does."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def quoted(text: str) -> str:
    """A text in double quotes, as Go's %q prints it."""
    return f'"{"".join(_escaped(character) for character in text)}"'


def visible(text: str) -> str:
    """A text with an escape, as Go's %q prints it, for whatever is not printable and might move a cursor."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def encoded(value: Json) -> str:
    """A value as compact JSON, as Go's encoding/json writes it (with <, > and & escaped)."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "".join(_HTML.get(character, character) for character in text)


def shown(value: Json) -> str:
    """A value as the API's field errors show it."""
    if isinstance(value, str):
        return quoted(value)
    return encoded(value)


def go_strings(texts: Iterable[str]) -> str:
    """A list of strings, as Go's %#v prints it."""
    return f"[]string{{{', '.join(map(quoted, texts))}}}"


def _escaped(character: str) -> str:
    if found := _ESCAPES.get(character) or _ESCAPES_RARE.get(character):
        return found
    if character.isprintable():
        return character
    code = ord(character)
    if code < _ASCII_LIMIT:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _WIDE else f"\\U{code:08x}"
