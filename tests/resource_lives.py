"""Whole lives of objects for the differential test: who owns what after several managers wrote.

In: nothing. Out: `LIVES`. Law: the same list at every run.
"""

from __future__ import annotations

import json
from typing import Any

from resource_cases import BASES, Case, Step, spoiled

from controlplane.resources.kinds import KINDS


def _typed(kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    name = BASES[kind]["metadata"]["name"]
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": metadata, **fields}


def _base(kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    obj = {"apiVersion": KINDS[kind].api_version, "kind": kind, **BASES[kind]}
    for path, value in fields.items():
        obj = spoiled(obj, path.replace("__", "."), value)
    return obj


def _apply(body: dict[str, Any], manager: str = "one", **more: Any) -> Step:  # noqa: ANN401 - fields of a Step
    return Step("apply", body, manager, **more)


def _service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return _typed("Service", spec={"clusterIP": "None", **({"ports": list(ports)} if ports else {}), **spec})


def _port(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"name": f"p{number}", "port": number, "protocol": "TCP", **more}


_LOCAL = _base("APIService", spec__service=None, spec__insecureSkipTLSVerify=None)
_STATUS = {"conditions": [{"type": "Seen", "status": "True", "reason": "R", "message": "m"}]}
_LABELS = {"metadata": {"labels": {"a": "1"}}}
_LAST = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(_base("Role"))}

_STEPS: dict[str, tuple[str, tuple[Step, ...]]] = {
    "apply-twice": ("Role", (_apply(_base("Role")), _apply(_base("Role")))),
    "apply-by-two": ("Role", (_apply(_base("Role")), _apply(_base("Role"), "two"))),
    "labels-of-two": (
        "Role",
        (
            _apply(_typed("Role", metadata={"labels": {"a": "1"}})),
            _apply(_typed("Role", metadata={"labels": {"b": "2"}}), "two"),
            _apply(_typed("Role", metadata={})),
            _apply(_typed("Role", metadata={}), "two"),
        ),
    ),
    "label-shared": (
        "Role",
        (
            _apply(_typed("Role", metadata={"labels": {"a": "1"}})),
            _apply(_typed("Role", metadata={"labels": {"a": "1"}}), "two"),
            _apply(_typed("Role", metadata={})),
            _apply(_typed("Role", metadata={"labels": {"a": "2"}})),
            _apply(_typed("Role", metadata={"labels": {"a": "2"}}), force=True),
            _apply(_typed("Role", metadata={"labels": {"a": "1"}}), "two"),
        ),
    ),
    "update-takes": (
        "Role",
        (
            _apply(_typed("Role", metadata={"labels": {"a": "1", "b": "1"}})),
            Step("update", {"metadata.labels": {"a": "2", "b": "1"}}, "two", live=True),
            _apply(_typed("Role", metadata={"labels": {"a": "1", "b": "1"}})),
            _apply(_typed("Role", metadata={"labels": {"b": "1"}})),
            _apply(_typed("Role", metadata={"labels": {"a": "1"}}), force=True),
        ),
    ),
    "update-nothing": ("Role", (Step("create", _base("Role")), Step("update", {}, "two", live=True))),
    "update-removes": (
        "Role",
        (
            _apply(_typed("Role", metadata={"labels": {"a": "1"}})),
            Step("update", {"metadata.labels": None}, "two", live=True),
            _apply(_typed("Role", metadata={"labels": {"a": "1"}})),
        ),
    ),
    "update-without-version": (
        "Role",
        (Step("create", _base("Role")), Step("update", _base("Role", rules=[]), "two")),
    ),
    "update-creates": ("Role", (Step("update", _base("Role")),)),
    "update-creates-none": ("Secret", (Step("update", _base("Secret")),)),
    "update-api-without-version": (
        "APIService",
        (Step("create", _LOCAL), Step("update", {**_LOCAL, "metadata": {"name": "v1.example.com"}})),
    ),
    "stale": ("Role", (Step("create", _base("Role")), Step("update", _base("Role", metadata__resourceVersion="1")))),
    "merge-missing": ("Role", (Step("merge", _LABELS),)),
    "ports": (
        "Service",
        (
            _apply(_service(_port(1), _port(2), _port(3))),
            _apply(_service(_port(4), _port(2), _port(1)), "two"),
            _apply(_service(_port(3), _port(1))),
            _apply(_service(_port(1, targetPort=9), _port(5)), "two"),
            _apply(_service(_port(1, targetPort=9), _port(5)), "two", force=True),
            _apply(_service(_port(5)), "two"),
            _apply(_service(_port(3))),
        ),
    ),
    "ports-same-twice": ("Service", (_apply(_service(_port(1), _port(1))),)),
    "port-protocol-by-default": (
        "Service",
        (_apply(_service({"port": 7})), _apply(_service({"port": 7, "protocol": "TCP"}), "two")),
    ),
    "selector-atomic": (
        "Service",
        (
            _apply(_service(_port(1), selector={"a": "1"})),
            _apply(_service(_port(1), selector={"b": "1"}), "two"),
            _apply(_service(_port(1), selector={"b": "1"}), "two", force=True),
            _apply(_service(_port(1))),
            _apply(_service(_port(1)), "two"),
        ),
    ),
    "affinity": (
        "Service",
        (
            _apply(_service(_port(1), sessionAffinity="ClientIP")),
            _apply(_service(_port(1))),
            _apply(_service(_port(1), sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {}}), "two"),
        ),
    ),
    "status-of-service": (
        "Service",
        (
            _apply(_service(_port(1))),
            Step("merge", {"status": {"conditions": [{"type": "X"}]}}, "two", subresource="status"),
            Step("merge", {"spec": {"ports": []}, **_LABELS}, "three", subresource="status"),
        ),
    ),
    "status-of-api": (
        "APIService",
        (
            _apply(_LOCAL),
            _apply(_typed("APIService", status=_STATUS), "two", subresource="status"),
            Step("merge", {"status": {"conditions": [{"type": "Seen", "status": "No"}]}}, subresource="status"),
            Step("merge", {"status": _STATUS, "spec": {"versionPriority": 3}, **_LABELS}, subresource="status"),
            Step("merge", {"status": {"conditions": []}, **_LABELS}, "three"),
            _apply({**_LOCAL, "status": _STATUS}),
        ),
    ),
    "secret-texts": (
        "Secret",
        (
            _apply(_typed("Secret", stringData={"a": "1"})),
            _apply(_typed("Secret", data={"a": "Mg=="}), "two"),
            _apply(_typed("Secret", data={"a": "Mg=="}), "two", force=True),
            _apply(_typed("Secret", data={"b": "Mg=="}, immutable=True)),
            _apply(_typed("Secret", data={"b": "Mw=="})),
            Step("merge", {"type": "x"}),
        ),
    ),
    "role-ref": (
        "RoleBinding",
        (
            Step("create", _base("RoleBinding")),
            Step("merge", {"roleRef": {"name": "other"}}),
            Step("merge", {"subjects": None}),
            _apply(_typed("RoleBinding", roleRef={"kind": "Role", "name": "reader"})),
            _apply(_typed("RoleBinding", roleRef={"kind": "Role", "name": "x"}), force=True),
        ),
    ),
    "owners": (
        "Role",
        tuple(
            _apply(
                _typed(
                    "Role",
                    metadata={"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name}]},
                ),
                name,
            )
            for name in ("u", "w", "u")
        ),
    ),
    "finalizers": (
        "Role",
        (
            _apply(_typed("Role", metadata={"finalizers": ["example.com/a"]})),
            _apply(_typed("Role", metadata={"finalizers": ["example.com/b"]}), "two"),
            _apply(_typed("Role", metadata={"finalizers": []})),
            _apply(_typed("Role"), "two"),
        ),
    ),
    "managers-reset": (
        "Role",
        (
            Step("create", _base("Role")),
            Step("update", {"metadata.managedFields": [{}]}, live=True),
            Step("update", {"metadata.labels": {"a": "1"}}, "two", live=True),
            _apply(_typed("Role", metadata={"labels": {"b": "1"}}), "three"),
        ),
    ),
    "many-updaters": (
        "Role",
        (
            Step("create", _base("Role")),
            *(Step("merge", {"metadata": {"labels": {f"l{n}": "x"}}}, f"m{n}") for n in range(12)),
        ),
    ),
    "kubectl-moves-over": (
        "Role",
        (
            Step("create", _base("Role", metadata__annotations=_LAST), "kubectl-client-side-apply"),
            _apply(_base("Role", rules=[]), "other"),
            _apply(_base("Role", rules=[]), "kubectl"),
            _apply(_base("Role", metadata__labels={"a": "<b>"}), "kubectl"),
            _apply(_base("Role", metadata__labels={"a": "b"}), "kubectl"),
            _apply(_base("Role"), "kubectl", force=True),
        ),
    ),
    "json-patch": (
        "Role",
        (
            Step("create", _base("Role")),
            Step("json", [{"op": "add", "path": "/metadata/labels", "value": {"a": "1"}}]),
            Step("json", [{"op": "test", "path": "/metadata/labels/a", "value": "2"}]),
            Step("json", [{"op": "remove", "path": "/metadata/labels/x"}]),
            Step("json", [{"op": "replace", "path": "/rules/0/verbs/0", "value": "list"}], "two"),
            Step("json", [{"op": "add", "path": "/rules/0/verbs/-", "value": "watch"}]),
            Step("json", [{"op": "copy", "from": "/rules/0", "path": "/rules/0"}]),
            Step("json", [{"op": "move", "from": "/metadata/labels", "path": "/metadata/annotations"}]),
            Step("json", [{"op": "remove", "path": "/rules/9"}]),
        ),
    ),
    "strategic": (
        "Service",
        (
            Step("create", _service(_port(1), _port(2), _port(3), selector={"a": "1"})),
            Step("strategic", {"spec": {"ports": [_port(4), _port(2, targetPort=9)], "selector": {"b": "2"}}}),
            Step("strategic", {"spec": {"ports": [{"port": 3, "$patch": "delete"}]}}, "two"),
            Step(
                "strategic", {"spec": {"$setElementOrder/ports": [{"port": n} for n in (4, 2)], "ports": [{"port": 2}]}}
            ),
            Step(
                "strategic",
                {"spec": {"$setElementOrder/ports": [{"port": n} for n in (5, 1, 2, 4)], "ports": [_port(5)]}},
            ),
            Step("strategic", {"metadata": {"finalizers": ["example.com/a"]}}),
            Step("strategic", {"metadata": {"finalizers": ["example.com/b", "example.com/a"]}}, "two"),
            Step("strategic", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}),
            Step("strategic", {"spec": {"selector": {"$patch": "replace", "c": "3"}}}),
            Step("strategic", {"spec": {"selector": {"$retainKeys": ["d"], "d": "4"}}}),
            Step("strategic", {"spec": {"ports": [{"$patch": "replace"}, _port(7)]}}),
            Step("strategic", {"spec": {"bogus": 1}}, strictness="Warn"),
        ),
    ),
    "strategic-rules": (
        "Role",
        (
            Step("create", _base("Role")),
            Step("strategic", {"rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["x"]}]}),
            Step("strategic", {"metadata": {"labels": {"a": None, "b": "1"}}}),
            Step("strategic", {"rules": None}),
        ),
    ),
    "slices": (
        "EndpointSlice",
        (
            _apply(_base("EndpointSlice")),
            _apply(_base("EndpointSlice", addressType="IPv6"), "two", force=True),
            Step("merge", {"endpoints": [{"addresses": ["10.9.9.9"]}]}, "two"),
            Step("merge", {"metadata": {"labels": {"x": "y"}}}, "two"),
            Step("merge", {"metadata": {"annotations": {"x": "y"}}}, "two"),
        ),
    ),
    "types": (
        "Service",
        (
            Step("create", _service(_port(1), type="ClusterIP")),
            Step("merge", {"spec": {"type": "NodePort"}}),
            Step("merge", {"spec": {"sessionAffinity": "ClientIP"}}, "two"),
            Step("merge", {"spec": {"type": "ExternalName", "externalName": "example.com", "clusterIP": None}}),
        ),
    ),
    "no-manager": ("Role", (_apply(_base("Role"), ""),)),
}
LIVES = tuple(Case(name, kind, steps) for name, (kind, steps) in _STEPS.items())
