"""Objects in the words of `isthmus describe`.

In: an object as the config API shows it, and the objects that serve it. Out: text. Law: the text is for people, and may
change; of a Secret it says how much, and never what.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.cli.api import layout
from controlplane.cli.api.backends import Backing, endpoints, registered
from controlplane.cli.api.bundles import certificates
from controlplane.cli.api.layout import NONE, Line, Part, several
from controlplane.resources.values import Json, JsonObject, at

_HIDDEN: Final = "kubectl.kubernetes.io/last-applied-configuration"
_LONGEST: Final = 140
_UNSET: Final = "<unset>"
_RULES: Final = ("Resources", "Non-Resource URLs", "Resource Names", "Verbs")
_CONDITIONS: Final = (
    ("Type", "type"),
    ("Status", "status"),
    ("Last Transition Time", "lastTransitionTime"),
    ("Reason", "reason"),
    ("Message", "message"),
)


def text(item: config_pb2.Object, backing: Backing, now: datetime.datetime) -> str:
    """The object; `backing` is what serves it, if it is of a kind that something serves."""
    obj: JsonObject = orjson.loads(item.json)
    return layout.text((*_metadata(item, obj), *_body(item, obj, backing, now)))


def _metadata(item: config_pb2.Object, obj: JsonObject) -> Iterator[Part]:
    metadata = obj["metadata"]
    yield Line(0, "Name", item.reference.name)
    if item.reference.namespace:
        yield Line(0, "Namespace", item.reference.namespace)
    labels = metadata.get("labels") or {}
    yield from several(0, "Labels", (f"{key}={value}" for key, value in sorted(labels.items())))
    annotations = metadata.get("annotations") or {}
    yield from several(0, "Annotations", _annotations(annotations))
    yield Line(0, "Created", metadata.get("creationTimestamp") or "<unknown>")
    if since := metadata.get("deletionTimestamp"):
        yield Line(0, "Being Deleted", f"since {since}, held by {', '.join(metadata.get('finalizers') or (NONE,))}")


def _annotations(annotations: Mapping[str, str]) -> Iterator[str]:
    for key, value in sorted(annotations.items()):
        if key == _HIDDEN:
            continue
        if len(key) + len(value) <= _LONGEST and "\n" not in value:
            yield f"{key}: {value}"
            continue
        yield f"{key}:"
        for line in value.removesuffix("\n").split("\n"):
            yield f"  {line if len(line) <= _LONGEST else line[:_LONGEST] + '...'}"


def _body(item: config_pb2.Object, obj: JsonObject, backing: Backing, now: datetime.datetime) -> Iterator[Part]:
    match item.reference.type.kind:
        case "APIService":
            yield from _api_service(obj, backing, now)
        case "Service":
            yield from _service(obj, backing)
        case "Secret":
            yield Line(0, "Type", obj.get("type") or NONE)
            yield from _headed(
                "Data", [Line(1, key, f"{size} bytes") for key, size in sorted(item.secret_sizes.items())]
            )
        case kind:
            yield from _BODIES[kind](obj)


def _api_service(obj: JsonObject, backing: Backing, now: datetime.datetime) -> Iterator[Part]:
    spec = obj["spec"]
    yield Line(0, "Group", spec.get("group") or NONE)
    yield Line(0, "Version", spec.get("version") or NONE)
    yield Line(0, "Group Priority Minimum", str(spec.get("groupPriorityMinimum", 0)))
    yield Line(0, "Version Priority", str(spec.get("versionPriority", 0)))
    yield Line(0, "Service", registered(obj))
    if spec.get("service") is not None:
        yield Line(0, "Endpoints", endpoints(obj, backing))
        yield Line(0, "Insecure Skip TLS Verify", _said(spec.get("insecureSkipTLSVerify", False)))
        yield from several(0, "CA Bundle", certificates(spec.get("caBundle") or "", now))
    yield from _conditions(at(obj, "status", "conditions") or ())


def _conditions(conditions: Sequence[JsonObject]) -> Iterator[Part]:
    # Conditions that are made at the moment of the answer have no times.
    columns = [(name, field) for name, field in _CONDITIONS if any(condition.get(field) for condition in conditions)]
    rows = [tuple(str(condition.get(field) or "") for _, field in columns) for condition in conditions]
    yield from layout.table(0, "Conditions", tuple(name for name, _ in columns), rows)


def _service(obj: JsonObject, backing: Backing) -> Iterator[Part]:
    spec = obj["spec"]
    selector = spec.get("selector") or {}
    yield Line(0, "Selector", ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or NONE)
    yield Line(0, "Type", spec.get("type") or NONE)
    if name := spec.get("externalName"):
        yield Line(0, "External Name", name)
    yield Line(0, "IPs", ",".join(spec.get("clusterIPs") or ()) or spec.get("clusterIP") or NONE)
    if external := spec.get("externalIPs"):
        yield Line(0, "External IPs", ",".join(external))
    ports = spec.get("ports") or ()
    if not ports:
        yield Line(0, "Ports", NONE)
    for port in ports:
        yield Line(0, "Port", f"{port.get('name') or _UNSET}  {_port(port.get('port'), port)}")
        yield Line(1, "Target Port", _port(port.get("targetPort"), port))
        if node := port.get("nodePort"):
            yield Line(1, "Node Port", _port(node, port))
        yield Line(1, "Endpoints", backing.of_port(port.get("name") or ""))
    yield Line(0, "Session Affinity", spec.get("sessionAffinity") or "None")


def _endpoint_slice(obj: JsonObject) -> Iterator[Part]:
    yield Line(0, "AddressType", obj.get("addressType") or NONE)
    ports = [
        (port.get("name") or _UNSET, str(port.get("port", _UNSET)), port.get("protocol") or _UNSET)
        for port in obj.get("ports") or ()
    ]
    yield from layout.table(0, "Ports", ("Name", "Port", "Protocol"), ports)
    rows = [
        (
            ",".join(endpoint.get("addresses") or ()) or NONE,
            *(_said(at(endpoint, "conditions", name)) for name in ("ready", "serving", "terminating")),
            *(endpoint.get(name) or _UNSET for name in ("hostname", "nodeName", "zone")),
        )
        for endpoint in obj.get("endpoints") or ()
    ]
    header = ("Addresses", "Ready", "Serving", "Terminating", "Hostname", "Node", "Zone")
    yield from layout.table(0, "Endpoints", header, rows)


def _role(obj: JsonObject) -> Iterator[Part]:
    selectors = at(obj, "aggregationRule", "clusterRoleSelectors") or ()
    if selectors:
        yield from several(0, "Rules Of Roles With", map(_selector, selectors))
    verbs: dict[tuple[str, str, str], dict[str, None]] = {}
    for rule in obj.get("rules") or ():
        names, paths = _list(rule.get("resourceNames")), _list(rule.get("nonResourceURLs"))
        combined = product(rule.get("apiGroups") or (), rule.get("resources") or ())
        for resource in [_of_group(name, group) for group, name in combined] or [""]:
            verbs.setdefault((resource, paths, names), {}).update(dict.fromkeys(rule.get("verbs") or ()))
    yield from layout.table(0, "Rules", _RULES, [(*place, _list(allowed)) for place, allowed in verbs.items()])


def _binding(obj: JsonObject) -> Iterator[Part]:
    role = obj["roleRef"]
    yield Line(0, "Role", f"{role['kind']}/{role['name']}")
    rows = [
        (subject.get("kind") or "", subject.get("name") or "", subject.get("namespace") or "")
        for subject in obj.get("subjects") or ()
    ]
    yield from layout.table(0, "Subjects", ("Kind", "Name", "Namespace"), rows)


def _headed(label: str, lines: list[Line]) -> Iterator[Part]:
    yield Line(0, label, "" if lines else NONE)
    yield from lines


def _of_group(resource: str, group: str) -> str:
    name, slash, subresource = resource.partition("/")
    return f"{name}{'.' if group else ''}{group}{slash}{subresource}"


def _selector(selector: JsonObject) -> str:
    labels = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        values = f" ({','.join(one.get('values') or ())})" if one.get("values") else ""
        labels.append(f"{one.get('key')} {one.get('operator')}{values}")
    return ",".join(labels) or "any labels"


def _port(number: Json, port: JsonObject) -> str:
    return f"{_UNSET if number is None else number}/{port.get('protocol') or 'TCP'}"


def _list(values: Json) -> str:
    return f"[{' '.join(values or ())}]"


def _said(value: Json) -> str:
    return _UNSET if value is None else str(value).lower()


_BODIES: Final[Mapping[str, Callable[[JsonObject], Iterator[Part]]]] = MappingProxyType(
    {
        "EndpointSlice": _endpoint_slice,
        "Role": _role,
        "ClusterRole": _role,
        "RoleBinding": _binding,
        "ClusterRoleBinding": _binding,
    }
)
