"""Server-side apply.

In go the stored object (or none), the applied configuration and the managers; out come the merged object and the
managers after it, or the fields other managers hold with another value.
The law: an applier owns exactly what it applied last. A field it stops applying goes away unless someone else owns
it. Simplified against kube-apiserver as `managedfields` says: lists are replaced whole, so two appliers of one list
conflict; and defaults and versions are not reconciled, since there is one version.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

from servicecatalog.managedfields import Manager, Path, leaves
from servicecatalog.resources import GROUP_VERSION
from servicecatalog.schemas import JsonObject, JsonValue
from servicecatalog.status import StatusError


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field another manager holds with another value."""

    manager: str
    field: Path

    @property
    def shown(self) -> str:
        """The path as kubectl prints it."""
        return "".join(f".{step}" for step in self.field)


@dataclass(frozen=True, slots=True)
class Applied:
    """The object after an apply, and its managers."""

    object: JsonObject
    managers: tuple[Manager, ...]


def apply(
    live: JsonObject, applied: JsonObject, managers: Iterable[Manager], applier: Manager, *, force: bool
) -> Applied | tuple[Conflict, ...]:
    """Merge a configuration into the stored object; `applier` carries the name and the time, not the fields."""
    wanted, current = leaves(applied), leaves(live)
    others: list[Manager] = []
    before: frozenset[Path] = frozenset()
    for manager in managers:
        if manager.identity == applier.identity:
            before = manager.fields
        else:
            others.append(manager)
    differing = frozenset(path for path, value in wanted.items() if path not in current or current[path] != value)
    conflicts = [Conflict(one.name, path) for one in others for path in sorted(one.fields & differing)]
    if conflicts and not force:
        return tuple(conflicts)
    others = [replace(one, fields=one.fields - differing) for one in others]
    held = frozenset(path for one in others for path in one.fields)
    merged = deepcopy(live)
    for path in sorted(before - wanted.keys() - held):
        _drop(merged, path)
    for path, value in wanted.items():
        _set(merged, path, deepcopy(value))
    present = leaves(merged).keys()
    owners = (
        *(replace(one, fields=one.fields & present) for one in others),
        replace(applier, fields=frozenset(wanted)),
    )
    return Applied(merged, owners)


def apply_conflict(conflicts: tuple[Conflict, ...]) -> StatusError:
    """409: the reply that lists the conflicting fields and their managers."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{conflict.manager}" using {GROUP_VERSION}',
            "field": conflict.shown,
        }
        for conflict in conflicts
    ]
    shown = [f"{cause['message']}: {cause['field']}" for cause in causes]
    plural = "conflict" if len(causes) == 1 else "conflicts"
    return StatusError(
        409, "Conflict", f"Apply failed with {len(causes)} {plural}: {'; '.join(shown)}", {"causes": causes}
    )


def _drop(obj: JsonObject, path: Path) -> None:
    """Remove a field, and the maps it leaves empty below the top level."""
    parents: list[JsonObject] = []
    node: JsonValue = obj
    for step in path[:-1]:
        parents.append(node)
        node = node.get(step)
        if not isinstance(node, dict):
            return
    node.pop(path[-1], None)
    for depth in range(len(path) - 2, 0, -1):
        if parents[depth][path[depth]]:
            return
        del parents[depth][path[depth]]


def _set(obj: JsonObject, path: Path, value: JsonValue) -> None:
    node = obj
    for step in path[:-1]:
        if not isinstance(node.get(step), dict):
            node[step] = {}
        node = node[step]
    if value == {} and isinstance(node.get(path[-1]), dict):
        return
    node[path[-1]] = value
