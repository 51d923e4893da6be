"""Sources over one another, and objects that are there from the start under them all.

In: sources in order, default objects. Out: the same sources, whose changes say of each key what is in force. Law: in
force is what the first source that has the object says, or the default; a key that has a default always has an object.
An object that another hides is a Problem, but for defaults, which are there to be hidden.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Protocol

from controlplane.model.change import Change, Delete, Object, ObjectKey, Upsert
from controlplane.model.problem import Origin, Problem
from controlplane.sources import Source


class Traceable(Source, Protocol):
    """A source that knows where its objects come from."""

    def origin(self, key: ObjectKey) -> Origin | None:
        """Where the object in force comes from; None when the source has none."""


class Layers:
    """Sources, the first on top, over default objects such as kube-apiserver's bootstrap RBAC policy."""

    def __init__(
        self,
        sources: Sequence[Traceable],
        defaults: Mapping[ObjectKey, Object],
        report: Callable[[tuple[Problem, ...]], None],
    ) -> None:
        """`report` gets all Problems there are, whenever they are others than before."""
        self._sources = tuple(sources)
        self._defaults = defaults
        self._report = report
        self._held: dict[ObjectKey, dict[int, Object]] = {}
        self._hidden: dict[ObjectKey, tuple[Problem, ...]] = {}

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, for the pipeline."""
        return tuple(_Layer(source.name, self, rank) for rank, source in enumerate(self._sources))

    def origin(self, key: ObjectKey) -> Origin | None:
        """Where the object in force comes from; None when it is a default, or there is none."""
        return next((origin for source in self._sources if (origin := source.origin(key)) is not None), None)

    def over(self, name: str, key: ObjectKey) -> Origin | None:
        """Where the object is defined by a source over the one of this name; None when it is by none."""
        for source in self._sources:
            if source.name == name:
                return None
            if (origin := source.origin(key)) is not None:
                return origin
        return None

    async def changes(self, rank: int) -> AsyncIterator[Sequence[Change]]:
        """What the changes of one source change of what is in force."""
        if rank == 0:
            yield tuple(Upsert(key, thing) for key, thing in self._defaults.items())
        async for batch in self._sources[rank].changes():
            before = dict(self._hidden)
            settled = tuple(settled for change in batch for settled in self._settled(rank, change))
            if before != self._hidden:
                self._report(tuple(sorted(problem for problems in self._hidden.values() for problem in problems)))
            if settled:
                yield settled

    def _settled(self, rank: int, change: Change) -> Iterator[Change]:
        if not isinstance(change, (Upsert, Delete)):
            yield change
            return
        key = change.key
        held = self._held.setdefault(key, {})
        shown = min(held, default=rank)
        if isinstance(change, Upsert):
            held[rank] = change.object
        else:
            held.pop(rank, None)
        if shown >= rank:
            yield self._in_force(key, held)
        self._note(key, held)
        if not held:
            del self._held[key]

    def _in_force(self, key: ObjectKey, held: Mapping[int, Object]) -> Change:
        thing = held[min(held)] if held else self._defaults.get(key)
        return Delete(key) if thing is None else Upsert(key, thing)

    def _note(self, key: ObjectKey, held: Mapping[int, Object]) -> None:
        first, *others = sorted(held) or [0]
        if others:
            self._hidden[key] = tuple(self._problem(key, first, rank) for rank in others)
        else:
            self._hidden.pop(key, None)

    def _problem(self, key: ObjectKey, first: int, rank: int) -> Problem:
        over, under = (self._sources[each].origin(key) or Origin(self._sources[each].name) for each in (first, rank))
        return Problem(under, str(key), "", f"is defined in {over} too, and that one counts", "remove one of the two")


class _Layer:
    """One of the sources, among the others."""

    def __init__(self, name: str, layers: Layers, rank: int) -> None:
        self.name = name
        self._layers = layers
        self._rank = rank

    def changes(self) -> AsyncIterator[Sequence[Change]]:
        """What the source's changes change of what is in force; see `Source`."""
        return self._layers.changes(self._rank)
