"""The layout of `isthmus describe`.

In: labels with values, and tables, in order. Out: text. Law: a value is at the same place in each line of a run, and
moves no cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from controlplane.cli.api.tables import one_line
from controlplane.cli.asking import aligned

NONE = "<none>"
"""What stands where there is nothing."""

_GAP = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A label and its value, so far to the right; a heading without value, more of the value above without label."""

    depth: int
    label: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below their names, so far to the right."""

    depth: int
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Part: TypeAlias = Line | Table


def several(depth: int, label: str, values: Iterable[str]) -> Iterator[Line]:
    """A label with each of its values in a line of its own."""
    for number, value in enumerate(tuple(values) or (NONE,)):
        yield Line(depth, "" if number else label, value)


def table(depth: int, label: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[Part]:
    """A label with a table below it."""
    if not rows:
        yield Line(depth, label, NONE)
        return
    yield Line(depth, label)
    yield Table(depth + 1, header, tuple(rows))


def text(parts: Iterable[Part]) -> str:
    """All of it, without the last line's end."""
    lines: list[str] = []
    run: list[Line] = []
    for part in parts:
        if isinstance(part, Line) and part.value:
            run.append(part)
            continue
        lines += _run(run)
        run = []
        if isinstance(part, Line):
            lines.append(f"{_indent(part.depth)}{part.label}:")
        else:
            lines += _table(part)
    return "\n".join((*lines, *_run(run)))


def _run(run: Sequence[Line]) -> Iterator[str]:
    heads = [f"{_indent(line.depth)}{line.label}{':' if line.label else ''}" for line in run]
    width = max(map(len, heads), default=0) + _GAP
    return (f"{head:{width}}{one_line(line.value)}" for head, line in zip(heads, run, strict=True))


def _table(part: Table) -> Iterator[str]:
    underlined = tuple("-" * len(name) for name in part.header)
    rows = (part.header, underlined, *(tuple(map(one_line, row)) for row in part.rows))
    return (f"{_indent(part.depth)}{line}" for line in aligned(rows).split("\n"))


def _indent(depth: int) -> str:
    return "  " * depth
