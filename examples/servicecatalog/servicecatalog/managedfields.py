"""Who set which field: `metadata.managedFields`.

In go the managers of the stored object, the object before and after a write, and the writer; out come the managers
after it.
The law: a field belongs to the managers whose last write left its present value. Simplified against kube-apiserver:
a field is a path through maps, and a list is one field (no list keys); a map that is not empty is never itself a field.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from servicecatalog.resources import GROUP_VERSION
from servicecatalog.schemas import JsonObject, JsonValue

Path = tuple[str, ...]

_UNMANAGED: Final = frozenset(
    {
        *(("apiVersion",), ("kind",)),
        *(("metadata", name) for name in ("name", "namespace", "generateName", "uid", "resourceVersion", "generation")),
        *(("metadata", name) for name in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")),
        *(("metadata", name) for name in ("managedFields", "selfLink")),
    }
)


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry: who, how (Apply or Update), through which subresource, when (RFC 3339), and which fields."""

    name: str
    operation: str
    subresource: str
    time: str
    fields: frozenset[Path]

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two entries the same manager."""
        return (self.name, self.operation, self.subresource)


def leaves(obj: JsonObject) -> dict[Path, JsonValue]:
    """Every field of an object that can have a manager, with its value."""
    found: dict[Path, JsonValue] = {}
    _collect(obj, (), found)
    return found


def read_managers(obj: JsonObject) -> tuple[Manager, ...]:
    """The managers an object names; entries that cannot be understood are left out."""
    managers: list[Manager] = []
    for entry in obj["metadata"].get("managedFields", ()):
        trie = entry.get("fieldsV1")
        if not (isinstance(trie, dict) and entry.get("operation") in ("Apply", "Update")):
            continue
        managers.append(
            Manager(
                name=entry.get("manager", ""),
                operation=entry["operation"],
                subresource=entry.get("subresource", ""),
                time=entry.get("time", ""),
                fields=_paths(trie),
            )
        )
    return tuple(managers)


def written_managers(managers: Iterable[Manager]) -> list[JsonObject]:
    """The managers as `metadata.managedFields`; managers without fields are dropped."""
    entries: list[JsonObject] = []
    for manager in sorted(managers, key=lambda one: (one.operation, one.time, one.name, one.subresource)):
        if not manager.fields:
            continue
        entry: JsonObject = {"manager": manager.name, "operation": manager.operation, "apiVersion": GROUP_VERSION}
        entry |= {"time": manager.time, "fieldsType": "FieldsV1", "fieldsV1": _trie(manager.fields)}
        entries.append({**entry, "subresource": manager.subresource} if manager.subresource else entry)
    return entries


def after_update(
    managers: Iterable[Manager], before: JsonObject, after: JsonObject, writer: Manager
) -> tuple[Manager, ...]:
    """The managers after `writer` (its fields are ignored) changed an object in any way but by applying it."""
    old, new = leaves(before), leaves(after)
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    kept: list[Manager] = []
    mine: frozenset[Path] = frozenset()
    for manager in managers:
        if manager.identity == writer.identity:
            mine = manager.fields & new.keys()
            if not changed:
                writer = replace(writer, time=manager.time)
        else:
            kept.append(replace(manager, fields=(manager.fields & new.keys()) - changed))
    return (*kept, replace(writer, fields=mine | changed))


def _collect(value: JsonValue, path: Path, found: dict[Path, JsonValue]) -> None:
    if path in _UNMANAGED:
        return
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            _collect(inner, (*path, key), found)
    else:
        found[path] = value


def _trie(fields: Iterable[Path]) -> JsonObject:
    trie: JsonObject = {}
    for path in sorted(fields):
        node = trie
        for step in path:
            node = node.setdefault(f"f:{step}", {})
    return trie


def _paths(trie: JsonObject) -> frozenset[Path]:
    found: set[Path] = set()
    pending: list[tuple[JsonObject, Path]] = [(trie, ())]
    while pending:
        node, path = pending.pop()
        fields = {key: inner for key, inner in node.items() if key.startswith("f:") and isinstance(inner, dict)}
        if path and not fields:
            found.add(path)
        pending.extend((inner, (*path, key.removeprefix("f:"))) for key, inner in fields.items())
    return frozenset(found)
