"""Server-side apply: a configuration laid over the live object.

In: the live object and its managers, the configuration, who applies it. Out: the merged object and the managers after
it, or the fields that others hold with another value. Law: an applier owns exactly what it applied last; a field that
it stops applying goes away unless someone else owns it. Specification: structured-merge-diff's Updater.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.resources import fieldpath, status
from controlplane.resources.cause import Cause
from controlplane.resources.fieldpath import Path, Paths
from controlplane.resources.managedfields import UNOWNED, UPDATE, Identity, Manager, released, without_reset
from controlplane.resources.merging import merged
from controlplane.resources.schema import Struct
from controlplane.resources.status import Status
from controlplane.resources.typed import compare, field_set, without
from controlplane.resources.values import JsonObject, quoted, same


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that another manager holds with another value."""

    manager: Manager
    path: Path


@dataclass(frozen=True, slots=True)
class Merged:
    """The object after an apply and its managers; `changed` is False when it is the live object still."""

    object: JsonObject
    managers: tuple[Manager, ...]
    changed: bool

    def __repr__(self) -> str:
        # The object may be a Secret.
        return f"Merged(changed={self.changed!r})"


def apply(
    live: JsonObject,
    config: JsonObject,
    managers: Iterable[Manager],
    shape: Struct,
    applier: Manager,
    *,
    force: bool = False,
    reset: Paths = frozenset(),
) -> Merged | tuple[Conflict, ...]:
    """Lays `config` over `live`; `applier` says who and when, its fields are ignored."""
    known = {one.identity: one for one in managers if one.api_version == applier.api_version}
    last = known.pop(applier.identity, None)
    mine = replace(applier, fields=fieldpath.without_branches(field_set(config, shape), reset))
    result = merged(live, config, shape)
    if last is not None and last.fields:
        result = _pruned(result, last.fields, mine.fields.union(*(one.fields for one in known.values())), shape)
    difference = without_reset(compare(live, result, shape), reset)
    taken = difference.modified | difference.added
    conflicts = tuple(
        Conflict(one, path)
        for one in sorted(known.values(), key=lambda one: one.identity)
        for path in fieldpath.ordered(one.fields & taken)
    )
    if conflicts and not force:
        return conflicts
    left = released(known.values(), difference)
    changed = not same(live, result)
    return Merged(result, _with(left, mine, last, changed=changed), changed)


def refused(conflicts: tuple[Conflict, ...]) -> Status:
    """The answer to an apply that met conflicts: every field, and who holds it."""
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_named(one.manager)}", fieldpath.shown(one.path))
        for one in conflicts
    ]
    if len(conflicts) == 1:
        return status.apply_conflict(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes)
    held: dict[str, list[str]] = {}
    for one in conflicts:
        held.setdefault(_named(one.manager), []).append(f"- {fieldpath.shown(one.path)}")
    lines = "\n".join(f"conflicts with {name}:\n" + "\n".join(fields) for name, fields in held.items())
    return status.apply_conflict(f"Apply failed with {len(conflicts)} conflicts: {lines}", causes)


def _with(
    left: Mapping[Identity, Manager], mine: Manager, last: Manager | None, *, changed: bool
) -> tuple[Manager, ...]:
    owned = mine.fields - UNOWNED
    if not owned:
        return tuple(left.values())
    time = mine.time if changed else "" if last is None else last.time
    return (*left.values(), replace(mine, fields=owned, time=time))


def _pruned(result: JsonObject, last: Paths, owned: Paths, shape: Struct) -> JsonObject:
    """The merged object without what was applied last time and is owned by nobody now."""
    last = fieldpath.with_named_fields(last, shape)
    everything = fieldpath.with_named_fields(field_set(result, shape), shape)
    bare = without(result, last, shape) or {}
    remaining = fieldpath.with_named_fields(field_set(bare, shape), shape)
    kept = without(result, everything - (remaining | fieldpath.with_named_fields(owned, shape)), shape) or {}
    kept_set = fieldpath.with_named_fields(field_set(kept, shape), shape)
    pruned: JsonObject = without(result, (everything - kept_set) & last, shape) or {}
    return pruned


def _named(manager: Manager) -> str:
    name = quoted(manager.name)
    if manager.subresource:
        name = f"{name} with subresource {quoted(manager.subresource)}"
    if manager.operation != UPDATE:
        return name
    # The time is not part of a manager's identity, so the answer never tells it.
    return f"{name} using {manager.api_version}"
