"""The page that lists every setting, made from the classes that read them.

In: the class `Settings` and the texts below its attributes. Out: Markdown. Law: a setting that exists is listed, with
what it means; nothing here knows any of them by name.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from controlplane.settings.address import Address
from controlplane.settings.section import Section
from controlplane.settings.settings import Settings

_HEAD: Final = """\
# Every setting

Made from the code by `make docs`; [settings.md](settings.md) has examples and says what to think of.

`a.b` is `b` in the section `a`, `a[].b` is `b` in each entry of the list `a`. A section that is not set has none of its
settings; *required* is what must be set where its section is. A path is relative to the settings file; a length of time
is such as `1h30m` or `90s`; an address is `unix:/path` or `HOST:PORT`.

| setting | type | default | |
|---|---|---|---|
"""
_SCALARS: Final[Mapping[object, str]] = {
    Path: "path",
    str: "text",
    bool: "`true` or `false`",
    int: "number",
    float: "number",
    timedelta: "length of time",
    Address: "address",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its place in the file, and what is said of it in Markdown; no meaning: nobody wrote it down."""

    path: str
    type: str
    default: str
    meaning: str


def page() -> str:
    """The whole page."""
    lines = (f"| `{row.path}` | {row.type} | {row.default} | {row.meaning} |\n" for row in rows())
    return _HEAD + "".join(lines)


def rows(section: type[Section] = Settings, prefix: str = "") -> Iterator[Row]:
    """Every setting of a section and of those within it, in the order of the code."""
    meanings = _meanings(section)
    for name, field in section.model_fields.items():
        path, kind = f"{prefix}{field.alias}", _without_none(field.annotation)
        inner, many = _section(kind)
        type_ = ("list" if many else "section") if inner is not None else _type(kind, field)
        meaning = meanings.get(name) or (_first_sentence(inner) if inner is not None else "")
        yield Row(path, type_, _default(field), meaning)
        if inner is not None:
            yield from rows(inner, f"{path}[]." if many else f"{path}.")


def _section(kind: object) -> tuple[type[Section] | None, bool]:
    """The section that a type is, or is a list of, if it is any; and whether it is a list."""
    many = get_origin(kind) is tuple
    inner = get_args(kind)[0] if many else kind
    if isinstance(inner, type) and issubclass(inner, Section) and inner is not Address:
        return inner, many
    return None, many


def _type(kind: object, field: FieldInfo | None = None) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type(each) for each in arguments)
    if origin is tuple:
        return f"list of: {_type(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "map of text to text"
    bounds = {key: value for each in (field.metadata if field is not None else ()) for key, value in _bounds(each)}
    limits = " to ".join(f"{bounds[key]:,}" for key in ("ge", "le") if key in bounds)
    return _SCALARS[kind] + (f", {limits}{'' if 'le' in bounds else ' or more'}" if limits else "")


def _bounds(constraint: object) -> Iterator[tuple[str, int]]:
    for key in ("ge", "le"):
        if hasattr(constraint, key):
            yield key, getattr(constraint, key)


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - whatever a type may be written as
    if get_origin(kind) not in {Union, UnionType}:
        return kind
    return reduce(or_, (each for each in get_args(kind) if each is not NoneType))


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return "*required*"
    if default is None:
        return "not set"
    if isinstance(default, tuple):
        return ", ".join(f"`{each}`" for each in default) or "none"
    if isinstance(default, Mapping):
        return "none"
    if isinstance(default, Section) and not isinstance(default, Address):
        return ""
    return f"`{_written(default)}`" if default != "" else "empty"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        hours, minutes = divmod(seconds // 60, 60)
        parts = ((hours, "h"), (minutes, "m"), (seconds % 60, "s"))
        return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
    return str(value)


@cache
def _meanings(section: type[Section]) -> Mapping[str, str]:
    """What is written below each attribute, by its name."""
    meanings: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if issubclass(kind, Section) and kind is not Section:
            match ast.parse(inspect.getsource(kind)).body:
                case [ast.ClassDef(body=body)]:
                    meanings |= dict(_below(body))
    return meanings


def _below(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for attribute, below in pairwise(body):
        if isinstance(attribute, ast.AnnAssign) and isinstance(attribute.target, ast.Name):
            match below:
                case ast.Expr(ast.Constant(str(text))):
                    yield attribute.target.id, " ".join(text.split())


def _first_sentence(section: type[Section]) -> str:
    return inspect.cleandoc(section.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
