"""Objects as the rows that kubectl prints.

In: an object and the time. Out: one cell a column of its kind. Law: the cells are kube-apiserver's, and none shows what
a Secret holds.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from controlplane.resources.kinds import Kind
from controlplane.resources.values import Json, JsonObject, at

_NONE: Final = "<none>"
_UNSET: Final = "<unset>"
_UNKNOWN: Final = "<unknown>"
_SHOWN_ITEMS: Final = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def row(kind: Kind, obj: JsonObject, now: datetime.datetime) -> tuple[Json, ...]:
    """The cells of an object, in the order of `kind.columns`, those of wide output included."""
    made = obj["metadata"].get("creationTimestamp", "")
    aged = {"Age": _age(made, now), "Created At": made}
    cells = iter(_CELLS[kind.kind](obj))
    return tuple(
        obj["metadata"]["name"] if column.form == "name" else aged.get(column.name) or next(cells)
        for column in kind.columns
    )


def _age(made: str, now: datetime.datetime) -> str:
    """How long ago a time (RFC 3339) was, in kubectl's short form."""
    if not made:
        return _UNKNOWN
    seconds = int((now - datetime.datetime.fromisoformat(made)).total_seconds())
    if seconds < 0:
        return "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * 365 * _DAY:
        return f"{seconds // _DAY}d"
    if seconds < 8 * 365 * _DAY:
        return _two(seconds, 365 * _DAY, "y", _DAY, "d")
    return f"{seconds // (365 * _DAY)}y"


def _two(seconds: int, large: int, letter: str, small: int, other: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{letter}" + (f"{rest}{other}" if rest else "")


def _api_service(obj: JsonObject) -> Iterable[Json]:
    service = at(obj, "spec", "service")
    yield "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}"
    for condition in at(obj, "status", "conditions") or ():
        if condition["type"] == "Available":
            known = condition["status"]
            yield known if known == "True" else f"{known} ({condition.get('reason', '')})"
            return
    yield "Unknown"


def _service(obj: JsonObject) -> Iterable[Json]:
    spec = obj["spec"]
    yield spec.get("type", "")
    yield spec.get("clusterIP") or _NONE
    yield _external(obj)
    ports = (
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', '')}"
        for port in spec.get("ports", ())
    )
    yield ",".join(ports) or _NONE
    yield ",".join(f"{key}={value}" for key, value in spec.get("selector", {}).items()) or _NONE


def _external(obj: JsonObject) -> str:
    spec = obj["spec"]
    given = list(spec.get("externalIPs", ()))
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            ingress = at(obj, "status", "loadBalancer", "ingress") or ()
            reached = [one.get("ip") or one.get("hostname") or "" for one in ingress]
            return ",".join([one for one in reached if one] + given) or "<pending>"
    return ",".join(given) or _NONE


def _endpoint_slice(obj: JsonObject) -> Iterable[Json]:
    yield obj["addressType"]
    yield _some([str(port.get("port", "*")) for port in obj["ports"] or ()])
    yield _some([address for endpoint in obj["endpoints"] or () for address in endpoint["addresses"] or ()])


def _some(items: list[str]) -> str:
    if not items:
        return _UNSET
    more = len(items) - _SHOWN_ITEMS
    return ",".join(items[:_SHOWN_ITEMS]) + (f" + {more} more..." if more > 0 else "")


def _role(obj: JsonObject) -> Iterable[Json]:  # noqa: ARG001 - the form of every row
    return ()


def _binding(obj: JsonObject) -> Iterable[Json]:
    yield f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"
    subjects = obj.get("subjects", ())
    for kind in ("User", "Group"):
        yield ", ".join(one["name"] for one in subjects if one["kind"] == kind)
    accounts = (one for one in subjects if one["kind"] == "ServiceAccount")
    yield ", ".join(f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"] for one in accounts)


def _secret(obj: JsonObject) -> Iterable[Json]:
    yield obj.get("type", "")
    yield len(obj.get("data", {}))


_CELLS: Final[Mapping[str, Callable[[JsonObject], Iterable[Json]]]] = {
    "APIService": _api_service,
    "Service": _service,
    "EndpointSlice": _endpoint_slice,
    "ClusterRole": _role,
    "Role": _role,
    "ClusterRoleBinding": _binding,
    "RoleBinding": _binding,
    "Secret": _secret,
}
