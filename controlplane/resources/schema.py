"""The shapes a kind is described by.

In: nothing. Out: the vocabulary of the tables in `schemas`. Law: one description drives decoding, unknown fields,
defaults of list keys, merging and ownership; nothing about a field's form is written down twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Form(Enum):
    """The forms of a scalar."""

    STRING = "string"
    BOOLEAN = "boolean"
    INT32 = "int32"
    INT64 = "int64"
    BYTES = "bytes"
    TIME = "time"
    INT_OR_STRING = "int-or-string"
    RAW = "raw"
    """Any JSON value, kept as it is (fieldsV1)."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without parts; `go` is the type that decoding errors name."""

    form: Form
    go: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct.

    `pointer`: an empty value differs from an absent one. `omit`: the field is left out when it is empty; else its empty
    value is always written. `default`: what an absent key of a list entry counts as.
    """

    shape: Shape
    pointer: bool = False
    omit: bool = True
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with known fields; an atomic one is owned and replaced whole."""

    go: str
    fields: Mapping[str, Field]
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """An object with any keys."""

    go: str
    element: Scalar
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class List:
    """A list: of entries known by `keys`, or a set (`unique`), or atomic when it is neither."""

    go: str
    element: Shape
    keys: tuple[str, ...] = ()
    unique: bool = False

    @property
    def atomic(self) -> bool:
        """True for a list that is owned and replaced whole."""
        return not self.keys and not self.unique


Shape: TypeAlias = Scalar | Struct | Map | List
