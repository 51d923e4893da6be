"""A JSON value in, an object of its kind out, or the first thing that has the wrong type.

In: a JSON value and the schema of its kind. Out: the object as the Kubernetes API would store it: no nulls, no empty
optional fields, nothing unknown; and the strict errors met. Law: decoding a decoded object gives the same object.
Messages are those of Go's JSON decoder, as kube-apiserver passes them on.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controlplane.resources.schema import Field, Form, List, Map, Scalar, Shape, Struct
from controlplane.resources.values import Json, JsonObject, copied, quoted

_STRICT_LIMIT: Final = 100
_ZERO: Final = {Form.STRING: "", Form.BOOLEAN: False, Form.INT32: 0, Form.INT64: 0, Form.INT_OR_STRING: 0}
_INT32: Final = Scalar(Form.INT32, "int32")
_RANGE: Final = {Form.INT32: 1 << 31, Form.INT64: 1 << 63}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_RFC3339: Final = "2006-01-02T15:04:05Z07:00"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding gave: the object, the strict errors in the order met, and the error it failed with ("" = none)."""

    object: JsonObject
    strict: tuple[str, ...] = ()
    error: str = ""

    def __repr__(self) -> str:
        # The object may be a Secret.
        return f"Decoded(strict={self.strict!r}, error={self.error!r})"


class _Repeating(dict[str, Json]):
    """A JSON object some of whose keys were written more than once; the last value counts."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: Iterable[tuple[str, Json]]) -> None:
        super().__init__()
        self.repeated: list[str] = []
        for key, value in pairs:
            if key in self and key not in self.repeated:
                self.repeated.append(key)
            self[key] = value


def read_json(text: str | bytes) -> Json:
    """The value a JSON text stands for; keys written twice are remembered for `decode`.

    Raises:
        ValueError: the text is not JSON (RFC 8259; NaN and infinities are not).
    """
    return json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse)


def decode(value: Json, shape: Struct) -> Decoded:
    """Reads an object of a kind; its type errors and unknown or repeated fields are told, never raised."""
    walk = _Walk()
    found = walk.struct(value, shape, ()) if isinstance(value, dict) else {}
    if not isinstance(value, dict):
        walk.mismatch(value, shape, (), "")
    return Decoded(found, tuple(walk.strict[:_STRICT_LIMIT]), walk.error)


def normalised(value: JsonObject, shape: Struct) -> JsonObject:
    """An object that is known to decode, in its normal form."""
    return decode(value, shape).object


def stored(value: Json, shape: Shape) -> Json:
    """The object as it comes back from a store: an empty list that is always written is null there."""
    if isinstance(shape, Struct) and isinstance(value, dict):
        return {name: None if inner == [] else stored(inner, shape.fields[name].shape) for name, inner in value.items()}
    if isinstance(shape, List) and isinstance(value, list):
        return [stored(inner, shape.element) for inner in value]
    return value


class _Walk:
    """One decoding: the first type error is kept, as Go does, and the rest is read on."""

    __slots__ = ("error", "strict")

    def __init__(self) -> None:
        self.error = ""
        self.strict: list[str] = []

    def struct(self, value: JsonObject, shape: Struct, path: tuple[str, ...]) -> JsonObject:
        """The struct in a JSON object, its fields in the order of the schema."""
        read: JsonObject = {}
        for name, inner in value.items():
            field = shape.fields.get(name)
            if field is None:
                self.strict.append(f'unknown field "{_shown((*path, name))}"')
            elif inner is not None:
                read[name] = self.read(inner, field.shape, (*path, name), shape.go)
        for name in getattr(value, "repeated", ()):
            self.strict.append(f'duplicate field "{_shown((*path, name))}"')
        kept = {name: _kept(read.get(name), field) for name, field in shape.fields.items()}
        return {name: inner for name, inner in kept.items() if inner is not None or _is_written(shape.fields[name])}

    def read(self, value: Json, shape: Shape, path: tuple[str, ...], owner: str) -> Json:
        """The value of a field, None when it has the wrong type."""
        match shape:
            case Struct() if isinstance(value, dict):
                return self.struct(value, shape, path)
            case Map() if isinstance(value, dict):
                for key in getattr(value, "repeated", ()):
                    self.strict.append(f'duplicate field "{_shown((*path, key))}"')
                # Go's errors do not name the key.
                return {key: self.entry(value[key], shape.element, path, owner) for key in sorted(value)}
            case List() if isinstance(value, list):
                read = (self.item(inner, shape.element, (*path, f"[{i}]"), owner) for i, inner in enumerate(value))
                return list(read)
            case Scalar():
                return self.scalar(value, shape, path, owner)
        self.mismatch(value, shape, path, owner)
        return None

    def item(self, value: Json, shape: Shape, path: tuple[str, ...], owner: str) -> Json:
        """An entry of a list; null stands for the empty value."""
        read = None if value is None else self.read(value, shape, path, owner)
        return _zero(shape) if read is None else read

    def entry(self, value: Json, shape: Scalar, path: tuple[str, ...], owner: str) -> Json:
        """A value of a map; null stands for the empty value."""
        read = None if value is None else self.scalar(value, shape, path, owner)
        return _zero(shape) if read is None else read

    def scalar(self, value: Json, shape: Scalar, path: tuple[str, ...], owner: str) -> Json:
        """A value without parts, None when it has the wrong type."""
        match shape.form:
            case Form.STRING if isinstance(value, str):
                return value
            case Form.BOOLEAN if isinstance(value, bool):
                return value
            case Form.INT32 | Form.INT64 if isinstance(value, int) and not isinstance(value, bool):
                if -_RANGE[shape.form] <= value < _RANGE[shape.form]:
                    return value
            case Form.BYTES if isinstance(value, str):
                return self.bytes(value)
            case Form.TIME if isinstance(value, str):
                return self.time(value)
            case Form.INT_OR_STRING:
                return self.int_or_string(value, path, owner)
            case Form.RAW:
                return copied(value)
        self.mismatch(value, shape, path, owner)
        return None

    def bytes(self, text: str) -> str | None:
        """Base64 (RFC 4648, line ends passed over) in its canonical spelling."""
        bare = text.replace("\r", "").replace("\n", "")
        try:
            return base64.b64encode(base64.b64decode(bare, validate=True)).decode()
        except (binascii.Error, ValueError):
            self.fail(f"illegal base64 data at input byte {_bad_base64(text)}")
            return None

    def time(self, text: str) -> str | None:
        """A time (RFC 3339) in UTC, to the second."""
        if _TIME.fullmatch(text):
            try:
                moment = datetime.datetime.fromisoformat(text)
            except ValueError:
                self.fail(f"parsing time {quoted(text)}: out of range")
                return None
            return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.fail(f'parsing time {quoted(text)} as "{_RFC3339}": cannot parse {quoted(text)} as "2006"')
        return None

    def int_or_string(self, value: Json, path: tuple[str, ...], owner: str) -> Json:
        """A whole number or a text."""
        return value if isinstance(value, str) else self.scalar(value, _INT32, path, owner)

    def mismatch(self, value: Json, shape: Shape, path: tuple[str, ...], owner: str) -> None:
        """Remembers that a value has the wrong type."""
        number = isinstance(shape, Scalar) and shape.form in _RANGE
        field = ".".join(name for name in path if not name.startswith("["))
        place = f"Go struct field {owner.rpartition('.')[2]}.{field}" if path else "Go value"
        self.fail(f"json: cannot unmarshal {_described(value, number=number)} into {place} of type {shape.go}")

    def fail(self, error: str) -> None:
        """Keeps the first error."""
        self.error = self.error or error


def _kept(value: Json, field: Field) -> Json:
    """The value of a field as it is written; None when it is left out or null."""
    if isinstance(field.shape, Struct) and not field.pointer:
        return _zero(field.shape) if value is None else value
    if value is None:
        return None if field.pointer or (not field.omit and isinstance(field.shape, List)) else _or_none(field)
    if field.omit and not field.pointer and (value in ("", [], {}) or value is False or value == 0):
        # A target port is never left out: it always has a value in a stored Service.
        return None
    return value


def _or_none(field: Field) -> Json:
    if field.omit or not isinstance(field.shape, Scalar):
        return None
    return _ZERO.get(field.shape.form)


def _is_written(field: Field) -> bool:
    return not field.omit


def _zero(shape: Shape) -> Json:
    match shape:
        case Struct():
            return _Walk().struct({}, shape, ())
        case Scalar():
            return _ZERO.get(shape.form, "" if shape.form is Form.BYTES else None)
    return None


def _described(value: Json, *, number: bool) -> str:
    """What Go calls the value; a number that does not fit is told with its digits."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return f"number {json.dumps(value)}" if number else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _bad_base64(text: str) -> int:
    for position, character in enumerate(text):
        if not (character.isascii() and (character.isalnum() or character in "+/=\r\n")):
            return position
    padding = text.find("=")
    return padding if padding >= 0 else len(text) // 4 * 4


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[", "[")


def _pairs(pairs: list[tuple[str, Json]]) -> JsonObject:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else _Repeating(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
