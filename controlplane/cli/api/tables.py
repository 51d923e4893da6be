"""Objects as the tables that kubectl prints.

In: objects as the config API shows them, and the time. Out: rows of text, and lines. Law: a cell is one line that
moves no cursor, whatever is in the object.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.kinds import kind_of, spoken
from controlplane.cli.asking import aligned
from controlplane.resources import table
from controlplane.resources.kinds import Kind
from controlplane.resources.values import JsonObject, at

_PROGRAMMED: Final = "PROGRAMMED"


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown of an object besides the columns that its kind always has.

    `namespaces`: its namespace, before the rest. `types`: its name as TYPE/NAME. `labels`: all of its labels.
    `label_columns`: a column for each of these labels. `events`: what happened to it, before all else.
    """

    wide: bool = False
    namespaces: bool = False
    types: bool = False
    labels: bool = False
    label_columns: tuple[str, ...] = ()
    events: bool = False


def header(kind: Kind, look: Look) -> tuple[str, ...]:
    """The names of the columns."""
    cells = [column.name.upper() for column in kind.columns if look.wide or not column.priority]
    if look.wide and kind.kind == "APIService":
        cells.append(_PROGRAMMED)
    cells += [label.rpartition("/")[2].upper() for label in look.label_columns]
    if look.labels:
        cells.append("LABELS")
    return (*_before(kind, look, "EVENT", "NAMESPACE"), *cells)


def row(item: config_pb2.Object, look: Look, now: datetime.datetime, event: str = "") -> tuple[str, ...]:
    """The cells of an object, one for each name in the header of its kind.

    Raises:
        KindError: when this version does not know the kind.
    """
    kind, obj = kind_of(item), orjson.loads(item.json)
    # What a Secret holds is not sent; how much it is, is.
    shown = table.row(kind, {**obj, "data": dict(item.secret_sizes)}, now)
    cells = [
        spoken(kind, item.reference.name) if look.types and column.form == "name" else str(cell)
        for column, cell in zip(kind.columns, shown, strict=True)
        if look.wide or not column.priority
    ]
    if look.wide and kind.kind == "APIService":
        cells.append(_programmed(obj))
    labels = at(obj, "metadata", "labels") or {}
    cells += [labels.get(label, "") for label in look.label_columns]
    if look.labels:
        cells.append(",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>")
    return tuple(map(one_line, (*_before(kind, look, event, item.reference.namespace), *cells)))


def one_line(text: str) -> str:
    """The text with a space for whatever is not printable, such as an end of a line."""
    return "".join(character if character.isprintable() else " " for character in text)


class Columns:
    """Columns that stay at their places while more and more rows are printed, as far as the cells allow."""

    def __init__(self) -> None:
        self._widest: Sequence[str] = ()

    def lines(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        """The rows as lines; all rows ever given have the same number of columns."""
        if not rows:
            return
        before = [self._widest] if self._widest else []
        self._widest = [max(cells, key=len) for cells in zip(*before, *rows, strict=True)]
        yield from aligned([self._widest, *rows]).split("\n")[1:]


def _before(kind: Kind, look: Look, event: str, namespace: str) -> Iterator[str]:
    if look.events:
        yield event
    if look.namespaces and kind.namespaced:
        yield namespace


def _programmed(obj: JsonObject) -> str:
    for condition in at(obj, "status", "conditions") or ():
        if condition.get("type") == "Programmed":
            status = condition.get("status", "")
            return status if status == "True" else f"{status} ({condition.get('reason', '')})"
    return "Unknown"
