"""The last steps of every write: settle what clients may not decide, check every rule, see whether anything changed.

In: an object as a write left it, and the stored one. Out: the object to store, or every rule it breaks. Law: what comes
out has passed every rule of its kind; an unchanged object is the stored one, to the last managed field.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from controlplane.resources import metadata, status
from controlplane.resources.cause import invalid
from controlplane.resources.decode import normalised, stored
from controlplane.resources.formats import Defects, path_segment, path_segment_prefix
from controlplane.resources.kinds import Kind
from controlplane.resources.ownership import bare, timeless
from controlplane.resources.rules import RULES
from controlplane.resources.status import OPTIMISTIC_LOCK, Status
from controlplane.resources.values import JsonObject, copied, same

_OBJECT_LIMIT: Final = 1_572_864
_GENERATED_LIMIT: Final = 58
_SERVER_SET: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


@dataclass(frozen=True, slots=True)
class Written:
    """What a write gave.

    `changed`: it is to be stored. `created`: it is new. `deleted`: the object is to be removed from the store.
    """

    object: JsonObject = field(repr=False)
    changed: bool = True
    created: bool = False
    deleted: bool = False
    warnings: tuple[str, ...] = ()


def created(kind: Kind, obj: JsonObject, now: str, uid: str, suffix: str) -> Written | Status:
    """A new object, with its name, uid, time and first generation."""
    obj = copied(obj)
    meta = obj["metadata"]
    if meta.get("resourceVersion"):
        return status.failed("resourceVersion should not be set on objects to be created")
    for name in _SERVER_SET:
        meta.pop(name, None)
    if meta.get("generateName") and not meta.get("name"):
        meta["name"] = meta["generateName"][:_GENERATED_LIMIT] + suffix
    meta.update(uid=uid, creationTimestamp=now)
    rules = RULES[kind.kind]
    rules.prepare_create(obj, now)
    causes = tuple(rules.check(obj)) or tuple(metadata.object_meta(meta, _any_name, namespaced=kind.namespaced))
    if causes:
        return status.invalid_object(kind.group, kind.kind, meta.get("name", ""), causes)
    meta["generation"] = 1
    return _stored(kind, obj) or Written(_final(kind, obj), created=True)


def updated(kind: Kind, live: JsonObject, obj: JsonObject, subresource: str) -> Written | Status:
    """The stored object after a change of it."""
    obj = copied(obj)
    meta, old = obj["metadata"], live["metadata"]
    if refused := _stale(kind, meta, old):
        return refused
    meta["resourceVersion"] = old.get("resourceVersion", "")
    meta["generation"] = old.get("generation", 0)
    rules = RULES[kind.kind]
    (rules.prepare_status_update if subresource else rules.prepare_update)(obj, copied(live))
    meta.setdefault("uid", old.get("uid", ""))
    for name in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in old:
            meta[name] = old[name]
    check = rules.check_status_update if subresource and rules.check_status_update else rules.check_update
    causes = (
        *metadata.object_meta(meta, _any_name, namespaced=kind.namespaced),
        *metadata.object_meta_update(meta, old),
        *check(obj, live),
    )
    if causes:
        return status.invalid_object(kind.group, kind.kind, meta.get("name", ""), causes)
    if old.get("deletionTimestamp") and not meta.get("finalizers"):
        return Written(_final(kind, obj), deleted=True)
    if _spec_changed(obj, live):
        meta["generation"] += 1
    final = timeless(_final(kind, obj), live)
    if same(final, live):
        return Written(live, changed=False)
    return _stored(kind, final) or Written(final)


def _stale(kind: Kind, meta: JsonObject, old: JsonObject) -> Status | None:
    """409 when the change was made from another version than the stored one."""
    name, current = old.get("name", ""), old.get("resourceVersion", "")
    version = meta.get("resourceVersion", "")
    if version in ("", "0"):
        if kind.unconditional:
            return None
        cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        return status.invalid_object(kind.group, kind.plural, name, (cause,))
    if version == current:
        return None
    return status.conflict(kind.group, kind.plural, name, OPTIMISTIC_LOCK, current=current)


def _spec_changed(obj: JsonObject, live: JsonObject) -> bool:
    """True when something besides metadata and status changed; labels count for an EndpointSlice, as upstream."""
    fields = (obj.keys() | live.keys()) - {"metadata", "status"}
    if not all(same(obj.get(name) or None, live.get(name) or None) for name in fields):
        return True
    labels = (one["metadata"].get("labels") for one in (obj, live))
    return obj["kind"] == "EndpointSlice" and len(set(map(str, labels))) > 1


def _final(kind: Kind, obj: JsonObject) -> JsonObject:
    final: JsonObject = stored(normalised(obj, kind.schema), kind.schema)
    return final


def _stored(kind: Kind, obj: JsonObject) -> Status | None:
    """413 when the object is bigger than a store takes."""
    size = len(json.dumps(bare(obj), separators=(",", ":"), ensure_ascii=False).encode())
    if size <= _OBJECT_LIMIT:
        return None
    return status.too_large(f"{kind.kind} has {size} bytes, limit is {_OBJECT_LIMIT}")


def _any_name(name: str, *, prefix: bool) -> Defects:
    return path_segment_prefix(name) if prefix else path_segment(name)
