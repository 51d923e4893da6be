"""The types of CEL variables, and records as protobuf messages: the only types with fields that the CEL library knows.

In: declarations, later a mapping of field names to values. Out: a descriptor pool, and messages filled with the values.
Law: only fields that are set are there for `has()`, and a string that is set to "" is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

_File: TypeAlias = descriptor_pb2.FileDescriptorProto
_Field: Final = descriptor_pb2.FieldDescriptorProto


class Kind(Enum):
    """The type of a variable or of a record's field."""

    STRING = "string"
    BOOL = "bool"
    STRINGS = "list<string>"
    STRING_LISTS = "map<string, list<string>>"
    JSON_OBJECT = "map<string, dyn>"
    """Whatever a JSON object may hold; only for variables. Numbers are doubles, as Go's JSON decoder makes them."""


@dataclass(frozen=True, slots=True)
class Record:
    """A type with named fields; a field that is not declared does not compile.

    `fields` are pairs of a name and a `Kind`, another `Record`, or a `Record` inside a one-element tuple: a list of it.
    """

    name: str
    fields: tuple[tuple[str, Kind | Record | tuple[Record]], ...]


def pool_of(records: Sequence[Record]) -> descriptor_pool.DescriptorPool:
    """Record types as protobuf messages, the only types with fields that the library knows."""
    pool = descriptor_pool.DescriptorPool()
    struct = _File.FromString(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(struct)
    for record in records:
        # In proto2 a string that is set to "" is there for has(), as it is for kube-apiserver.
        file = _File(name=f"{record.name}.proto", syntax="proto2", dependency=[struct.name])
        file.package, _, name = record.name.rpartition(".")
        _declare(file.message_type.add(name=name), record, f".{record.name}")
        pool.Add(file)
    return pool


def _declare(message: descriptor_pb2.DescriptorProto, record: Record, path: str) -> None:
    for number, (name, kind) in enumerate(record.fields, start=1):
        many = kind in (Kind.STRINGS, Kind.STRING_LISTS) or isinstance(kind, tuple)
        declared = message.field.add(name=name, number=number)
        declared.label = _Field.LABEL_REPEATED if many else _Field.LABEL_OPTIONAL
        declared.type = _Field.TYPE_BOOL if kind is Kind.BOOL else _Field.TYPE_STRING
        inner = kind[0] if isinstance(kind, tuple) else kind
        if isinstance(inner, Record):
            declared.type, declared.type_name = _Field.TYPE_MESSAGE, f"{path}.{inner.name}"
            _declare(message.nested_type.add(name=inner.name), inner, declared.type_name)
        elif kind is Kind.STRING_LISTS:
            entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
            lists = ".google.protobuf.ListValue"
            entry.field.add(
                name="value", number=2, type=_Field.TYPE_MESSAGE, label=_Field.LABEL_OPTIONAL, type_name=lists
            )
            declared.type, declared.type_name = _Field.TYPE_MESSAGE, f"{path}.{entry.name}"


def fill(message: Any, record: Any, values: Any) -> None:  # noqa: ANN401 - protobuf classes without types
    """Sets in `message`, which is of the type `record`, what the mapping `values` holds for its fields.

    Raises:
        KeyError, TypeError, ValueError: when a field is not declared or its value of another type.
    """
    kinds = dict(record.fields)
    for name, value in values.items():
        if value is None:
            continue
        kind, place = kinds[name], getattr(message, name)
        if kind is Kind.STRING_LISTS:
            for key, items in value.items():
                place[key].extend(items)
        elif kind is Kind.STRINGS:
            place.extend(value)
        elif isinstance(kind, Record):
            place.SetInParent()
            fill(place, kind, value)
        elif isinstance(kind, tuple):
            for item in value:
                fill(place.add(), kind[0], item)
        else:
            setattr(message, name, value)
