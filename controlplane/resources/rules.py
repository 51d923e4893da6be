"""Which rules each kind has.

In: nothing. Out: one `Rules` a kind, by kind. Law: what differs between kinds differs here and in the modules named
here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.resources import (
    fieldpath,
    metadata,
    rules_apiservice,
    rules_endpointslice,
    rules_rbac,
    rules_secret,
    rules_service,
    rules_service_writes,
)
from controlplane.resources.cause import Cause
from controlplane.resources.fieldpath import Paths
from controlplane.resources.values import JsonObject

Check = Callable[[JsonObject], Iterator[Cause]]
CheckUpdate = Callable[[JsonObject, JsonObject], Iterator[Cause]]


def _as_it_is(obj: JsonObject) -> None:
    """Nothing is filled in."""


def _made(obj: JsonObject, now: str) -> None:
    """Nothing is prepared for a new object."""


def _changed(obj: JsonObject, old: JsonObject) -> None:
    """Nothing is prepared for a change."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one kind does beyond what all do.

    `default` fills in what a manifest leaves out; `prepare_create` (with the time) and `prepare_update` (with the
    stored object) settle what the caller may not decide; both change the object given. `reset` and `reset_status` are
    the fields that a write, and a write of the status, never changes.
    """

    check: Check
    check_update: CheckUpdate
    default: Callable[[JsonObject], None] = _as_it_is
    prepare_create: Callable[[JsonObject, str], None] = _made
    prepare_update: Callable[[JsonObject, JsonObject], None] = _changed
    prepare_status_update: Callable[[JsonObject, JsonObject], None] = _changed
    check_status_update: CheckUpdate | None = None
    reset: Paths = frozenset()
    reset_status: Paths = frozenset()


def _checked_anew(
    check: Check, change: CheckUpdate = lambda new, old: metadata.object_meta_update(new["metadata"], old["metadata"])
) -> CheckUpdate:
    """The rules for a change, of which those for a new object are part."""

    def both(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
        yield from check(obj)
        yield from change(obj, old)

    return both


def _keep_status(obj: JsonObject, old: JsonObject) -> None:
    obj["status"] = old["status"]


def _keep_all_but_status(obj: JsonObject, old: JsonObject) -> None:
    obj["spec"] = old["spec"]
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        obj["metadata"].pop(name, None)
        if name in old["metadata"]:
            obj["metadata"][name] = old["metadata"][name]


def _keep_spec(obj: JsonObject, old: JsonObject) -> None:
    obj["spec"] = old["spec"]


def _keep_type(obj: JsonObject, old: JsonObject) -> None:
    if not obj.get("type"):
        obj["type"] = old.get("type", "")


def _binding(check: Check) -> Rules:
    change = _checked_anew(check, rules_rbac.check_binding_update)
    return Rules(check, change, rules_rbac.default_binding)


_STATUS: Final[Paths] = frozenset({fieldpath.path_of("status")})
_SPEC: Final[Paths] = frozenset({fieldpath.path_of("spec")})
_SPEC_AND_METADATA: Final[Paths] = _SPEC | {fieldpath.path_of("metadata")}

RULES: Final[Mapping[str, Rules]] = {
    "APIService": Rules(
        rules_apiservice.check,
        rules_apiservice.check_update,
        rules_apiservice.default,
        rules_apiservice.prepare_create,
        _keep_status,
        _keep_all_but_status,
        rules_apiservice.check_status_update,
        _STATUS,
        _SPEC_AND_METADATA,
    ),
    "Service": Rules(
        rules_service.check,
        rules_service.check_update,
        rules_service_writes.default,
        lambda obj, _now: rules_service_writes.prepare_create(obj),
        rules_service_writes.prepare_update,
        _keep_spec,
        rules_service.check_status_update,
        _STATUS,
        _SPEC,
    ),
    "EndpointSlice": Rules(
        rules_endpointslice.check,
        rules_endpointslice.check_update,
        rules_endpointslice.default,
        lambda obj, _now: rules_endpointslice.prepare(obj, None),
        rules_endpointslice.prepare,
    ),
    "ClusterRole": Rules(rules_rbac.check_cluster_role, _checked_anew(rules_rbac.check_cluster_role)),
    "Role": Rules(rules_rbac.check_role, _checked_anew(rules_rbac.check_role)),
    "ClusterRoleBinding": _binding(rules_rbac.check_cluster_role_binding),
    "RoleBinding": _binding(rules_rbac.check_role_binding),
    "Secret": Rules(rules_secret.check, rules_secret.check_update, rules_secret.default, prepare_update=_keep_type),
}
"""The rules of every kind, by its name."""
