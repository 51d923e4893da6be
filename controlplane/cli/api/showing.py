"""What `get` and `watch` print.

In: objects, or what happens to them. Out: texts, a line or several each. Law: what is printed for programs (-o json,
yaml, name) says the same in every version; the tables are for people.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from controlplane.api.v1 import config_pb2
from controlplane.cli.api import printing, tables
from controlplane.cli.api.following import Event
from controlplane.cli.api.kinds import kind_of
from controlplane.cli.api.printing import Output
from controlplane.cli.api.tables import Columns, Look
from controlplane.resources.values import JsonObject


@dataclass(frozen=True, slots=True)
class Style:
    """How objects are printed; as a table when `output` is None."""

    output: Output | None
    look: Look
    headers: bool = True
    managed_fields: bool = False


def whole(items: Sequence[config_pb2.Object], style: Style, *, single: bool, now: datetime.datetime) -> Iterator[str]:
    """Objects that are all there is; `single`: one that was asked for by its name.

    Raises:
        KindError: when this version does not know the kind of one of them.
    """
    match style.output:
        case "name":
            yield from map(printing.name_of, items)
        case "json" | "yaml" as form:
            objects = [printing.plain(item, managed_fields=style.managed_fields) for item in items]
            value = objects[0] if single and len(objects) == 1 else printing.listed(objects)
            yield printing.DOCUMENTS[form](value)
        case _:
            yield from _tables(items, style, now)


class Stream:
    """What happens to the objects of one kind, printed as it happens; `clock` says how late it is."""

    def __init__(self, style: Style, clock: Callable[[], datetime.datetime]) -> None:
        self._style = style
        self._clock = clock
        self._columns = Columns()
        self._began = False

    def texts(self, events: Sequence[Event]) -> Iterator[str]:
        """What is to be printed now.

        Raises:
            KindError: when this version does not know the kind of the objects.
        """
        if not events:
            return
        match self._style.output:
            case "name":
                yield from (printing.name_of(event.item) for event in events)
            case "json":
                yield from (printing.as_line(self._document(event)) for event in events)
            case "yaml":
                for event in events:
                    if self._began:
                        yield "---"
                    self._began = True
                    yield printing.as_yaml(self._document(event))
            case _:
                yield from self._rows(events)

    def _document(self, event: Event) -> JsonObject:
        obj = printing.plain(event.item, managed_fields=self._style.managed_fields)
        return {"type": event.change, "object": obj} if self._style.look.events else obj

    def _rows(self, events: Sequence[Event]) -> Iterator[str]:
        look, now = self._style.look, self._clock()
        rows = [tables.row(event.item, look, now, event.change) for event in events]
        if self._style.headers and not self._began:
            rows.insert(0, tables.header(kind_of(events[0].item), look))
        self._began = True
        yield from self._columns.lines(rows)


def _tables(items: Sequence[config_pb2.Object], style: Style, now: datetime.datetime) -> Iterator[str]:
    groups = [(kind, tuple(group)) for kind, group in itertools.groupby(items, kind_of)]
    several = len({kind.kind for kind, _ in groups}) > 1
    look = replace(style.look, types=style.look.types or several)
    for index, (kind, group) in enumerate(groups):
        rows = [tables.row(item, look, now) for item in group]
        if style.headers:
            if index:
                yield ""
            rows.insert(0, tables.header(kind, look))
        yield from Columns().lines(rows)
