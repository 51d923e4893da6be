"""Who owns which field: `metadata.managedFields`.

In: the entries of an object, the object before and after a write, and the writer. Out: the entries after it. Law: a
field belongs to whoever wrote its present value last, or applied it. Specification: Kubernetes server-side apply.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from controlplane.resources import fieldpath
from controlplane.resources.fieldpath import Paths
from controlplane.resources.schema import Struct
from controlplane.resources.typed import Comparison, compare
from controlplane.resources.values import Json, JsonObject

APPLY: Final = "Apply"
UPDATE: Final = "Update"
FIELDS_TYPE: Final = "FieldsV1"
_MOST_UPDATERS: Final = 10
_OLD_UPDATES: Final = "ancient-changes"
UNOWNED: Final[Paths] = frozenset(
    {
        *(fieldpath.path_of(name) for name in ("apiVersion", "kind", "metadata")),
        *(
            fieldpath.path_of("metadata", name)
            for name in (
                *("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation"),
                *("managedFields", "resourceVersion"),
            )
        ),
    }
)
"""What nobody ever owns."""

Identity: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry. `operation` is Apply or Update, `time` RFC 3339 to the second ("" = none), `subresource` "" = none."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = ""
    fields: Paths = frozenset()

    @property
    def identity(self) -> Identity:
        """What makes two entries the same; an applier is the same in every version."""
        version = "" if self.operation == APPLY else self.api_version
        return (self.name, self.operation, version, self.subresource)


def read_managers(entries: Json) -> tuple[Manager, ...]:
    """The managers that `metadata.managedFields` names.

    Raises:
        ValueError: an entry is not of the form that the API prescribes.
    """
    managers: dict[Identity, Manager] = {}
    for entry in entries or ():
        if entry.get("operation") not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.get("apiVersion"):
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != FIELDS_TYPE:
            raise ValueError("fieldsType must be FieldsV1")
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry["apiVersion"],
            entry.get("subresource", ""),
            entry.get("time", ""),
            fieldpath.decode(entry.get("fieldsV1") or {}),
        )
        managers[manager.identity] = manager
    return tuple(managers.values())


def written(managers: Iterable[Manager]) -> list[JsonObject]:
    """The managers as `metadata.managedFields`, in the API's order."""

    def order(one: Manager) -> tuple[str, str, str, str, str]:
        return (one.operation, one.time, one.name, one.api_version, one.subresource)

    return [_entry(manager) for manager in sorted(managers, key=order)]


def after_update(
    managers: Iterable[Manager],
    live: JsonObject,
    new: JsonObject,
    shape: Struct,
    writer: Manager,
    reset: Paths = frozenset(),
) -> tuple[Manager, ...]:
    """The managers after `writer` (without fields, with the time of now) changed the object in any way but applying.

    `reset` are the fields that this way of writing never changes (status, or all but status).
    """
    difference = without_reset(compare(live, new, shape), reset)
    taken = difference.modified | difference.added
    left = released((one for one in managers if one.api_version == writer.api_version), difference)
    mine = taken - UNOWNED
    if not mine:
        return tuple(left.values())
    before = left.get(writer.identity)
    left[writer.identity] = replace(writer, fields=mine if before is None else mine | before.fields)
    return _capped(left)


def released(managers: Iterable[Manager], difference: Comparison) -> dict[Identity, Manager]:
    """The managers without the fields that a change took or removed; one that is left with none is gone."""
    gone = difference.modified | difference.added | difference.removed
    left = (replace(one, fields=one.fields - gone) for one in managers)
    return {one.identity: one for one in left if one.fields}


def without_reset(difference: Comparison, reset: Paths) -> Comparison:
    """The comparison without the fields that a way of writing never changes."""
    if not reset:
        return difference
    return Comparison(
        fieldpath.without_branches(difference.removed, reset),
        fieldpath.without_branches(difference.modified, reset),
        fieldpath.without_branches(difference.added, reset),
    )


def _capped(managers: dict[Identity, Manager]) -> tuple[Manager, ...]:
    """The managers, with the oldest updaters joined into one where there are too many."""
    updaters = sorted(
        (one for one in managers.values() if one.operation == UPDATE), key=lambda one: (one.time, one.identity)
    )
    surplus = len(updaters) - _MOST_UPDATERS
    if surplus <= 0:
        return tuple(managers.values())
    oldest = updaters[: surplus + 1]
    fields = frozenset().union(*(one.fields for one in oldest))
    bucket = Manager(_OLD_UPDATES, UPDATE, oldest[-1].api_version, "", oldest[-1].time, fields)
    gone = {one.identity for one in oldest}
    return (*(one for one in managers.values() if one.identity not in gone), bucket)


def _entry(manager: Manager) -> JsonObject:
    entry: JsonObject = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time,
        "fieldsType": FIELDS_TYPE,
        "fieldsV1": fieldpath.encode(manager.fields),
        "subresource": manager.subresource,
    }
    return {name: value for name, value in entry.items() if value != ""}
