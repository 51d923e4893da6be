"""Request bodies and query flags to plain values.

In go bytes and a media type; out come JSON values and the paths of fields given twice.
The law: whatever a client sends ends in a value or in a StatusError. What leaves here is finite in size and depth,
holds only text keys, and can be written as JSON again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson
import yaml

from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.status import bad_request, unsupported_media_type

JSON: Final = "application/json"
YAML: Final = ("application/yaml", "application/apply-patch+yaml")
MAX_BODY: Final = 3 * 1024 * 1024
MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded body, and the paths of the fields that occur more than once in it."""

    value: JsonValue
    duplicates: tuple[str, ...]


class _Pairs(dict[str, JsonValue]):
    """A JSON object that remembers which of its keys were given twice."""

    def __init__(self, pairs: list[tuple[str, JsonValue]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.duplicates = tuple(key for key, count in counts.items() if count > 1)


class _PlainLoader(yaml.SafeLoader):
    """YAML without timestamps, which JSON does not have, and without aliases, which can grow without bound."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header in lower case, without parameters; JSON when the header is absent."""
    return content_type.partition(";")[0].strip().lower() or JSON


def decode(content_type: str, body: bytes, accepted: Iterable[str]) -> Decoded:
    """Decode a JSON or YAML body.

    Raises:
        StatusError: 415 for another media type, 400 for a body that cannot be read.
    """
    kind = media_type(content_type)
    choices = tuple(accepted)
    if kind not in choices:
        raise unsupported_media_type(choices)
    try:
        value = _load_yaml(body) if kind in YAML else orjson.loads(body)
        check_depth(value)
        duplicates = () if kind in YAML else tuple(_duplicates(json.loads(body, object_pairs_hook=_Pairs), ""))
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise bad_request(f"the body of the request cannot be decoded: {reason}") from error
    return Decoded(value, duplicates)


def decode_object(decoded: Decoded) -> JsonObject:
    """The decoded body as a JSON object.

    Raises:
        StatusError: 400 when it is something else.
    """
    if not isinstance(decoded.value, dict):
        raise bad_request("the body of the request must be an object")
    return decoded.value


def check_depth(value: JsonValue) -> None:
    """Refuse a value nested deeper than MAX_DEPTH, so that no later walk can exhaust the stack.

    Raises:
        StatusError: 400.
    """
    layer: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        layer = [inner for outer in layer for inner in _children(outer)]
        if not layer:
            return
    raise bad_request(f"the object is nested deeper than {MAX_DEPTH} levels")


def parse_flag(text: str | None, *, default: bool = False) -> bool:
    """A boolean query parameter as Kubernetes reads it: absent is the default, only `false` and `0` are false."""
    return default if text is None else text.lower() not in ("false", "0")


def parse_count(name: str, text: str) -> int | None:
    """A non-negative integer query parameter; None when the text is empty.

    Raises:
        StatusError: 400.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request(f'invalid {name} "{text}": must be a non-negative integer')
    return int(text)


def _load_yaml(body: bytes) -> JsonValue:
    # JSON is YAML, most clients send it, and only a JSON reader joins surrogate pairs.
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        loaded = yaml.load(body, Loader=_PlainLoader)  # noqa: S506  # _PlainLoader is a SafeLoader
        return orjson.loads(orjson.dumps(loaded))


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _duplicates(value: JsonValue, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        for key in value.duplicates:
            yield f"{path}.{key}" if path else key
        for key, inner in value.items():
            yield from _duplicates(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _duplicates(inner, f"{path}[{index}]")
