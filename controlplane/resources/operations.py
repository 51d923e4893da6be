"""Create, update, apply, patch and delete: what a write makes of an object, whatever its kind.

In: the stored object (None when there is none), what the client sent, and who it is. Out: the object to store, or the
Status that refuses it. Law: nothing is written here: a dry run is a result that is not stored; the store sets
`metadata.resourceVersion`, and stores a result only when it says it changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controlplane.resources import apply as applying
from controlplane.resources import lastapplied, metadata, status
from controlplane.resources.cause import invalid, required
from controlplane.resources.configuration import defects
from controlplane.resources.decode import decode
from controlplane.resources.finish import Written, created, updated
from controlplane.resources.kinds import Kind
from controlplane.resources.managedfields import APPLY, UPDATE
from controlplane.resources.ownership import (
    bare,
    empty,
    managers_before_apply,
    tracked,
    with_managers,
    writer,
)
from controlplane.resources.patch import Patch, patched
from controlplane.resources.reading import Misread, Strictness, complete, read
from controlplane.resources.rules import RULES
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import Json, JsonObject, at


@dataclass(frozen=True, slots=True)
class Target:
    """What a write is about: the kind, and where. `name` is "" when a create leaves it to the object."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """Who writes, when (`now`: RFC 3339, UTC, to the second) and how strictly; `uid` and `suffix` are for a new object.

    `suffix` completes a generateName: five random letters or digits.
    """

    now: str
    uid: str = field(default="")
    suffix: str = ""
    manager: str = ""
    strictness: Strictness = Strictness.WARN


def create(target: Target, body: Json, call: Call) -> Written | Status:
    """A new object; whether its name is free is for the store to say (`status.already_exists`)."""
    sent = read(target.kind, body, call.strictness)
    if isinstance(sent, Misread):
        return sent.status
    if refused := _misplaced(target, sent.object) or _bad_manager(call):
        return refused
    owner = writer(target.kind, call.manager, UPDATE, call.now, "")
    obj = tracked(
        target.kind, None, sent.object, at(body, "metadata", "managedFields"), owner, RULES[target.kind.kind].reset
    )
    return _warned(created(target.kind, obj, call.now, call.uid, call.suffix), sent.warnings)


def update(target: Target, live: JsonObject | None, body: Json, call: Call) -> Written | Status:
    """The object replaced by the one sent."""
    sent = read(target.kind, body, call.strictness)
    if isinstance(sent, Misread):
        return sent.status
    if refused := _misnamed(target, sent.object) or _bad_manager(call):
        return refused
    if refused := _another(target, live, sent.object):
        return refused
    return _warned(_replaced(target, live, sent.object, body, call), sent.warnings)


def patch(target: Target, live: JsonObject | None, change: Patch, call: Call) -> Written | Status:
    """The object with a patch applied; 404 when there is no object."""
    if live is None:
        return status.not_found(target.kind.group, target.kind.plural, target.name)
    body = patched(live, change, target.kind.schema)
    if isinstance(body, Status):
        return body
    sent = read(target.kind, body, call.strictness)
    if isinstance(sent, Misread):
        # Upstream repeats the whole object here, and with it what a Secret holds.
        return status.invalid_object("", "", "", (invalid("patch", "<patched object>", sent.why),))
    if refused := _misnamed(target, sent.object) or _bad_manager(call):
        return refused
    return _warned(_replaced(target, live, sent.object, body, call), sent.warnings)


def apply(
    target: Target, live: JsonObject | None, config: Json, call: Call, *, force: bool = False
) -> Written | Status:
    """The object with a configuration applied (server-side apply); created when there is none.

    The field manager is required; an unknown field is always an error, as upstream.
    """
    kind = target.kind
    if refused := _unfit_to_apply(target, config, call):
        return refused
    before = empty(kind) if live is None else bare(live)
    managers = () if live is None else managers_before_apply(kind, live, call.now)
    rules = RULES[kind.kind]
    reset = rules.reset_status if target.subresource else rules.reset
    owner = writer(kind, call.manager, APPLY, call.now, target.subresource)
    merged = applying.apply(before, config, managers, kind.schema, owner, force=force, reset=reset)
    if not isinstance(merged, applying.Merged) and call.manager == lastapplied.MANAGER:
        conflicts = lastapplied.remaining(kind, before, merged)
        merged = conflicts or applying.apply(before, config, managers, kind.schema, owner, force=True, reset=reset)
    if not isinstance(merged, applying.Merged):
        return applying.refused(merged)
    decoded = decode(merged.object, kind.schema)
    if decoded.error:
        about = f"failed to convert new object ({_identity(kind, config)}) to proper version"
        return status.failed(
            f"{about}: unable to convert unstructured object to {_group_version_kind(kind)}: {decoded.error}"
        )
    obj = decoded.object
    complete(kind, obj)
    if refused := _misnamed(target, obj):
        return refused
    if call.manager == lastapplied.MANAGER:
        obj = lastapplied.noted(obj, config)
    obj = with_managers(obj, merged.managers)
    if live is None:
        return created(kind, obj, call.now, call.uid, call.suffix)
    return updated(kind, live, obj, target.subresource)


def _replaced(target: Target, live: JsonObject | None, obj: JsonObject, body: Json, call: Call) -> Written | Status:
    kind, rules = target.kind, RULES[target.kind.kind]
    if live is None and (target.subresource or not kind.creates_on_update):
        return status.not_found(kind.group, kind.plural, target.name)
    reset = rules.reset_status if target.subresource else rules.reset
    owner = writer(kind, call.manager, UPDATE, call.now, target.subresource)
    obj = tracked(kind, live, obj, at(body, "metadata", "managedFields"), owner, reset)
    if live is None:
        return created(kind, obj, call.now, call.uid, call.suffix)
    return updated(kind, live, obj, target.subresource)


def _another(target: Target, live: JsonObject | None, obj: JsonObject) -> Status | None:
    """409 when the object sent is another one of the same name."""
    uid = obj["metadata"].get("uid")
    if not uid or live is None or uid == live["metadata"]["uid"]:
        return None
    why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
    current = live["metadata"].get("resourceVersion", "")
    return status.conflict(target.kind.group, target.kind.plural, target.name, why, current=current)


def _unfit_to_apply(target: Target, config: Json, call: Call) -> Status | None:
    """What makes a configuration no configuration."""
    if not isinstance(config, dict):
        return bad_request("error decoding YAML: a configuration is an object")
    if not call.manager:
        cause = required("fieldManager", "is required for apply patch")
        return status.invalid_object("meta.k8s.io", "PatchOptions", "", (cause,))
    if refused := _bad_manager(call):
        return refused
    api_version, name = (_text(config.get(key)) for key in ("apiVersion", "kind"))
    if (api_version, name) != (target.kind.api_version, target.kind.kind):
        group, _, version = api_version.rpartition("/")
        return bad_request(f"invalid object type: {group}/{version}, Kind={name}")
    if at(config, "metadata", "managedFields") is not None:
        return bad_request("metadata.managedFields must be nil")
    found = list(defects(config, target.kind.schema))
    if not found:
        return None
    if target.kind.kind == "Secret":
        # What a Secret holds is in no message.
        found = [one.partition(", got ")[0] for one in found]
    why = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in found)
    return status.failed(f"failed to create typed patch object ({_identity(target.kind, config)}): {why}")


def _identity(kind: Kind, obj: JsonObject) -> str:
    """An object as upstream's messages about applying name it."""
    namespace, name = (_text(at(obj, "metadata", key)) for key in ("namespace", "name"))
    return f"{namespace}/{name}; {_group_version_kind(kind)}"


def _group_version_kind(kind: Kind) -> str:
    return f"{kind.group}/{kind.version}, Kind={kind.kind}"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _misplaced(target: Target, obj: JsonObject) -> Status | None:
    """400 when the object names another namespace; one that names none is in that of the request."""
    meta = obj["metadata"]
    if target.namespace and meta.get("namespace", target.namespace) != target.namespace:
        return bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta.pop("namespace", None)
    if target.namespace:
        meta["namespace"] = target.namespace
    return None


def _misnamed(target: Target, obj: JsonObject) -> Status | None:
    """400 when the object is not the one that the request names."""
    if refused := _misplaced(target, obj):
        return refused
    name = obj["metadata"].get("name")
    if not name:
        return bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if name != target.name:
        return bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
    return None


def _bad_manager(call: Call) -> Status | None:
    causes = tuple(metadata.field_manager(call.manager))
    return status.invalid_object("meta.k8s.io", "CreateOptions", "", causes) if causes else None


def _warned(result: Written | Status, warnings: tuple[str, ...]) -> Written | Status:
    return replace(result, warnings=(*warnings, *result.warnings)) if isinstance(result, Written) else result
