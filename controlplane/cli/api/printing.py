"""Objects as JSON, YAML or names.

In: objects as the config API shows them. Out: text that a program reads, and `apply -f` takes back. Law: keys are
sorted, so that the same object is the same text, in which nothing moves a cursor or turns the direction of writing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.cli import files
from controlplane.cli.api.kinds import kind_of, spoken
from controlplane.resources.values import Json, JsonObject

Output: TypeAlias = Literal["json", "yaml", "wide", "name"]
"""What -o may say."""

OUTPUTS: Final = ("json", "yaml", "wide", "name")

# What terminals obey, and JSON allows in a string as it is; outside of strings there is none of it.
_OBEYED: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def plain(item: config_pb2.Object, *, managed_fields: bool) -> JsonObject:
    """The object itself, without saying who manages which field unless that is wanted."""
    obj: JsonObject = orjson.loads(item.json)
    metadata = obj.get("metadata")
    if not managed_fields and isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return obj


def listed(objects: Iterable[JsonObject]) -> JsonObject:
    """Several objects as one, of the kind List."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(objects)}


def as_json(value: JsonObject) -> str:
    """The value as JSON, over several lines."""
    return _harmless(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))


def as_line(value: JsonObject) -> str:
    """The value as JSON, in one line."""
    return _harmless(json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False))


def as_yaml(value: JsonObject) -> str:
    """The value as YAML."""
    return files.as_yaml(_sorted(value)).rstrip("\n")


def name_of(item: config_pb2.Object) -> str:
    """The object as TYPE/NAME.

    Raises:
        KindError: when this version does not know the kind.
    """
    return spoken(kind_of(item), item.reference.name)


def _harmless(text: str) -> str:
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


DOCUMENTS: Final[Mapping[str, Callable[[JsonObject], str]]] = MappingProxyType({"json": as_json, "yaml": as_yaml})
"""How a whole object is written, by what -o says."""
