"""What the differential test of the resource rules asks both servers: objects of every kind, and ways to spoil them.

In: nothing. Out: `CASES`, each a kind and the steps of one object's life. Law: the same list at every run.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from resource_spoils import METADATA, SPOILS

from controlplane.resources.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Step:
    """One write: create, update, apply, merge, json or delete; `body` is an object, a configuration or a patch."""

    verb: str
    body: Any
    manager: str = "one"
    strictness: str = "Strict"
    subresource: str = ""
    force: bool = False
    live: bool = False
    """The body is merged into the object as it is now (a client that reads, changes and writes)."""


@dataclass(frozen=True, slots=True)
class Case:
    """The life of one object."""

    id: str
    kind: str
    steps: tuple[Step, ...] = field(default=())


def _meta(name: str, **more: object) -> dict[str, Any]:
    return {"metadata": {"name": name, **more}}


BASES: dict[str, dict[str, Any]] = {
    "APIService": {
        **_meta("v1.example.com"),
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": "default", "name": "backend"},
            "insecureSkipTLSVerify": True,
        },
    },
    "Service": {
        **_meta("backend", labels={"app": "backend"}),
        "spec": {
            "clusterIP": "None",
            "selector": {"app": "backend"},
            "ports": [{"name": "web", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"}],
        },
    },
    "EndpointSlice": {
        **_meta("backend-1", labels={"kubernetes.io/service-name": "backend"}),
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 8443}],
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
    },
    "ClusterRole": {
        **_meta("reader"),
        "rules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]},
            {"verbs": ["get"], "nonResourceURLs": ["/healthz"]},
        ],
    },
    "Role": {**_meta("reader"), "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]},
    "ClusterRoleBinding": {
        **_meta("readers"),
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [
            {"kind": "User", "name": "ann"},
            {"kind": "ServiceAccount", "name": "bot", "namespace": "default"},
        ],
    },
    "RoleBinding": {
        **_meta("readers"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "Group", "name": "staff"}, {"kind": "ServiceAccount", "name": "bot"}],
    },
    "Secret": {**_meta("token"), "data": {"a": "YQ=="}, "stringData": {"b": "text"}},
}


def spoiled(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The object with another value at a path; None removes what is there."""
    obj = copy.deepcopy(base)
    node = obj
    *parents, last = path.split(".")
    for name in parents:
        node = node.setdefault(name, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return obj


def _spoils(kind: str) -> Iterator[tuple[str, Any]]:
    for path, values in {**METADATA, **SPOILS[kind]}.items():
        for value in values:
            yield path, value


def _cases() -> Iterator[Case]:
    for kind, plain in BASES.items():
        base = {"apiVersion": KINDS[kind].api_version, "kind": kind, **plain}
        for number, (path, value) in enumerate(_spoils(kind)):
            bad = spoiled(base, path, value)
            name = f"{kind}-{number}-{path}"
            yield Case(f"create-{name}", kind, (Step("create", bad),))
            yield Case(f"update-{name}", kind, (Step("create", base), Step("update", {path: value}, "two", live=True)))
            yield Case(
                f"merge-{name}", kind, (Step("apply", base), Step("merge", spoiled({}, path, value), "two", "Warn"))
            )
            if "99999" in str(value) or str(1 << 40) in str(value):
                # Upstream cuts numbers that are too big when they are applied; they are refused here.
                continue
            yield Case(f"apply-{name}", kind, (Step("create", base), Step("apply", bad, "two", force=number % 2 == 0)))


CASES = tuple(_cases())
