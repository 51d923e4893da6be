"""Several writes that happen together or not at all.

In: the stored objects and the writes. Out: every result, or the first refusal and which write it was. Law: each write
sees what those before it made; the caller stores all results or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.resources.finish import Written
from controlplane.resources.operations import Target
from controlplane.resources.status import Status
from controlplane.resources.values import JsonObject

_PENDING: Final = "pending"
Write = Callable[[JsonObject | None], Written | Status]
"""One write, given the stored object (None: there is none): an operation with all else filled in."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The write that spoilt the batch, counted from 0."""

    index: int
    status: Status


def write_all(
    live: Mapping[Target, JsonObject], writes: Iterable[tuple[Target, Write]]
) -> tuple[Written, ...] | Refused:
    """The results of all writes in order, unless one of them is refused."""
    objects: dict[Target, JsonObject | None] = dict(live)
    results: list[Written] = []
    for index, (target, write) in enumerate(writes):
        result = write(objects.get(target))
        if isinstance(result, Status):
            return Refused(index, result)
        objects[target] = None if result.deleted else _pending(result.object) if result.changed else result.object
        results.append(result)
    return tuple(results)


def _pending(obj: JsonObject) -> JsonObject:
    """The object as the next write finds it: it has a version, though the store has not given it one yet."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": _PENDING}}
