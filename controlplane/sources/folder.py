"""What is in force, given what was seen of each file: a state machine without I/O.

In: observations of files, in batches. Out: the Changes that follow, and the Problems there are. Law, for every key:

    in force = what the first of the files that claim it gave last in good order

A file claims the objects that its good documents define; a broken document or file goes on claiming what it gave
before; a file that is gone claims nothing. First is who claimed first, and within one batch the first by path. A batch
is one step: an object that moves from file to file is never deleted in between, and one that stays equal causes no
Change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from controlplane.model.change import Change, Delete, Object, ObjectKey, Upsert
from controlplane.model.problem import Origin, Problem
from controlplane.sources.decode import Bad, Good, Ignored, Outcome


@dataclass(frozen=True, slots=True)
class Content:
    """The file was read; these are its objects, good and bad, in order."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """The file is there but nothing in it can be told."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Gone:
    """The file is not there."""


Observation: TypeAlias = Content | Broken | Gone

_Entry = TypeVar("_Entry")

_NOTHING: Final[Mapping[ObjectKey, Good]] = MappingProxyType({})


class Folder:
    """The objects of a folder of manifests."""

    def __init__(self) -> None:
        self._claims: dict[str, Mapping[ObjectKey, Good]] = {}
        self._claimants: dict[ObjectKey, dict[str, None]] = {}
        self._contested: set[ObjectKey] = set()
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._in_force: dict[ObjectKey, Object] = {}

    @property
    def in_force(self) -> Mapping[ObjectKey, Object]:
        """The objects in force, a read-only view."""
        return MappingProxyType(self._in_force)

    def origin(self, key: ObjectKey) -> Origin | None:
        """Where the object in force under the key was read; may be asked while another thread observes."""
        claimants = list(self._claimants.get(key, ()))
        good = self._claims.get(claimants[0], _NOTHING).get(key) if claimants else None
        return None if good is None else good.origin

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong now, sorted."""
        found = [problem for problems in self._problems.values() for problem in problems]
        found += [problem for key in self._contested for problem in self._duplicates(key)]
        return tuple(sorted(found))

    def observe(self, batch: Mapping[str, Observation]) -> tuple[Change, ...]:
        """Takes in what was seen of some files, by path; gives the Changes that follow, sorted by key."""
        touched: set[ObjectKey] = set()
        for path in sorted(batch):
            touched |= self._take(path, batch[path])
        return tuple(change for key in sorted(touched) for change in self._settle(key))

    def _take(self, path: str, observation: Observation) -> set[ObjectKey]:
        before = self._claims.get(path, _NOTHING)
        problems: tuple[Problem, ...]
        match observation:
            case Broken(problem):
                claims, problems = before, (problem,)
            case Gone():
                claims, problems = _NOTHING, ()
            case Content(outcomes):
                claims, problems = _claims(before, outcomes)
        for key in before.keys() - claims.keys():
            del self._claimants[key][path]
        for key in claims:
            self._claimants.setdefault(key, {})[path] = None
        _keep(self._claims, path, claims)
        _keep(self._problems, path, problems)
        return before.keys() | claims.keys()

    def _settle(self, key: ObjectKey) -> tuple[Change, ...]:
        claimants = self._claimants[key]
        if len(claimants) > 1:
            self._contested.add(key)
        else:
            self._contested.discard(key)
        before = self._in_force.get(key)
        if not claimants:
            del self._claimants[key]
            if before is None:
                return ()
            del self._in_force[key]
            return (Delete(key),)
        now = self._claims[next(iter(claimants))][key].object
        if now == before:
            return ()
        self._in_force[key] = now
        return (Upsert(key, now),)

    def _duplicates(self, key: ObjectKey) -> Iterable[Problem]:
        first, *others = (self._claims[path][key].origin for path in self._claimants[key])
        return (_duplicate(key, origin, first) for origin in others)


def _claims(
    before: Mapping[ObjectKey, Good], outcomes: tuple[Outcome, ...]
) -> tuple[Mapping[ObjectKey, Good], tuple[Problem, ...]]:
    """What a file claims that claimed `before` and now holds `outcomes`, and what is wrong in it."""
    claims: dict[ObjectKey, Good] = {}
    problems: list[Problem] = []
    for outcome in outcomes:
        match outcome:
            case Good(origin, key) if key in claims:
                problems.append(_duplicate(key, origin, claims[key].origin))
            case Good(_, key):
                claims[key] = outcome
            case Bad():
                problems += outcome.problems
            case Ignored(_, problem):
                problems.append(problem)
    for outcome in outcomes:
        if isinstance(outcome, Bad):
            for kept in _kept(before, outcome):
                claims.setdefault(kept.key, kept)
    return claims, tuple(problems)


def _kept(before: Mapping[ObjectKey, Good], bad: Bad) -> tuple[Good, ...]:
    """What stays of a document that broke: the object it is for, or when it does not say, what stood in its place."""
    if bad.key is None:
        return tuple(good for good in before.values() if good.origin.document == bad.origin.document)
    good = before.get(bad.key)
    return () if good is None else (replace(good, origin=bad.origin),)


def _duplicate(key: ObjectKey, origin: Origin, first: Origin) -> Problem:
    return Problem(origin, str(key), "", f"is defined in {first} too, and that one was first", "remove one of the two")


def _keep(table: dict[str, _Entry], path: str, value: _Entry) -> None:
    if value:
        table[path] = value
    else:
        table.pop(path, None)
