"""One manifest in, what it stands for out: an object, a defect, or nothing that concerns us.

In: a mapping as YAML or JSON gave it, and where it came from. Out: one outcome an object (a List holds several).
Law: an object that comes out has passed every rule of its kind; one that has not gives all its Problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controlplane.model import names
from controlplane.model.change import Object, ObjectKey
from controlplane.model.problem import Origin, Problem
from controlplane.sources.decode_apiservice import decode_apiservice
from controlplane.sources.decode_rbac import decode_binding, decode_role
from controlplane.sources.decode_service import SERVICE_NAME_LABEL, decode_endpoint_slice, decode_service
from controlplane.sources.fields import Complaints, Fields, plain, shown


@dataclass(frozen=True, slots=True)
class Good:
    """A manifest that holds."""

    origin: Origin
    key: ObjectKey
    object: Object


@dataclass(frozen=True, slots=True)
class Bad:
    """A manifest that does not hold; `key` is None when it does not even say which object it is."""

    origin: Origin
    key: ObjectKey | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A manifest that is none of ours; the Problem says so, in case it was meant to be."""

    origin: Origin
    problem: Problem


Outcome: TypeAlias = Good | Bad | Ignored

_API_VERSIONS: Final[Mapping[str, str]] = {
    "APIService": "apiregistration.k8s.io/v1",
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
}
_NAMESPACED: Final = frozenset({"Service", "EndpointSlice", "Role", "RoleBinding"})
_DEFAULT_NAMESPACE: Final = "default"


def decode(manifest: Mapping[str, object], origin: Origin) -> tuple[Outcome, ...]:
    """The outcomes of one document: one for an object, one for each item of a List."""
    kind = manifest.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or not _is_ours(kind.removesuffix("List"), manifest):
        return (_decode_object(manifest, origin, ""),)
    return tuple(_decode_items(manifest, origin, kind.removesuffix("List")))


def identify(manifest: Mapping[str, object]) -> ObjectKey | None:
    """The key of the object that a manifest, whole or only begun, is for; None when it does not say."""
    kind, metadata = manifest.get("kind"), manifest.get("metadata")
    if not isinstance(kind, str) or kind not in _API_VERSIONS or not isinstance(metadata, Mapping):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not isinstance(name, str) or not name:
        return None
    if kind not in _NAMESPACED:
        return ObjectKey(kind, "", name)
    return ObjectKey(kind, namespace if isinstance(namespace, str) and namespace else _DEFAULT_NAMESPACE, name)


def _decode_items(manifest: Mapping[str, object], origin: Origin, kind: str) -> Iterator[Outcome]:
    items = manifest.get("items")
    if not isinstance(items, list):
        complaints = Complaints(origin, f"{kind}List")
        complaints.add("items", f"Invalid value: {shown(items)}: must be a list", "write each object after a dash")
        yield Bad(origin, None, complaints.problems)
        return
    # The items of a typed list may leave out what the list says of them.
    known = {"apiVersion": manifest.get("apiVersion"), "kind": kind} if kind else {}
    for index, item in enumerate(items):
        field = f"items[{index}]"
        if isinstance(item, Mapping):
            yield _decode_object({**known, **item}, origin, field)
        else:
            complaints = Complaints(origin, "")
            complaints.add(
                field, f"Invalid value: {shown(item)}: must be a mapping", "write an object with apiVersion and kind"
            )
            yield Bad(origin, None, complaints.problems)


def _decode_object(manifest: Mapping[str, object], origin: Origin, field: str) -> Outcome:
    kind, api_version = manifest.get("kind"), manifest.get("apiVersion")
    key = identify(manifest)
    complaints = Complaints(origin, _subject(manifest, key))
    fields = Fields(manifest, field, complaints)
    fields.required_text("apiVersion", "write the apiVersion of the object, for example apiregistration.k8s.io/v1")
    fields.required_text("kind", "write the kind of the object, for example APIService")
    if not isinstance(kind, str) or not isinstance(api_version, str) or complaints.problems:
        return Bad(origin, key, complaints.problems)
    if not _is_ours(kind, manifest):
        message = f"{plain(kind)} of {plain(api_version)} is not a kind that is read here, and is ignored"
        complaints.add(fields.path("kind"), message, f"take it out, or write one of {', '.join(_API_VERSIONS)}")
        return Ignored(origin, complaints.problems[0])
    if api_version != _API_VERSIONS[kind]:
        fields.unsupported("apiVersion", api_version, (_API_VERSIONS[kind],), f"write {_API_VERSIONS[kind]}")
        return Bad(origin, key, complaints.problems)
    if key is None:
        _require_name(fields)
        return Bad(origin, None, complaints.problems)
    if kind == "EndpointSlice" and not _service_of(manifest):
        message = f"the label {SERVICE_NAME_LABEL} is missing: the slice belongs to no Service, and is ignored"
        complaints.add(fields.path("metadata.labels"), message, "write the name of its Service in that label")
        return Ignored(origin, complaints.problems[0])
    decoded = _decode_kind(key, manifest, fields)
    if decoded is None or complaints.problems:
        return Bad(origin, key, complaints.problems)
    return Good(origin, key, decoded)


def _decode_kind(key: ObjectKey, manifest: Mapping[str, object], fields: Fields) -> Object | None:
    _check_namespace(key, fields)
    match key.kind:
        case "APIService":
            return decode_apiservice(key.name, fields)
        case "Service":
            return decode_service(key.namespace, key.name, fields)
        case "EndpointSlice":
            return decode_endpoint_slice(key.namespace, key.name, _service_of(manifest), fields)
        case "ClusterRole" | "Role":
            return decode_role(key.namespace, key.name, fields)
    return decode_binding(key.namespace, key.name, fields)


def _check_namespace(key: ObjectKey, fields: Fields) -> None:
    metadata = fields.mapping("metadata")
    written = "" if metadata is None else metadata.text("namespace")
    if metadata is not None and written and not key.namespace:
        metadata.invalid("namespace", written, f"not allowed on this type: {key.kind} has no namespace", "remove it")
    elif metadata is not None and written and (reason := names.dns1123_label(written)):
        metadata.invalid("namespace", written, reason, "write the name of a namespace")


def _require_name(fields: Fields) -> None:
    metadata = fields.mapping("metadata")
    if metadata is not None:
        metadata.required_text("name", "write the name of the object")
    elif not fields.present("metadata"):
        fields.required("metadata.name", "write the name of the object")


def _is_ours(kind: str, manifest: Mapping[str, object]) -> bool:
    """True for our kinds in any version of their group; Service, for one, is also a kind of other people's groups."""
    api_version = manifest.get("apiVersion")
    if not isinstance(api_version, str):
        return False
    if not kind:
        return api_version == "v1"
    return kind in _API_VERSIONS and _group(api_version) == _group(_API_VERSIONS[kind])


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _subject(manifest: Mapping[str, object], key: ObjectKey | None) -> str:
    if key is not None:
        return plain(str(key))
    kind, metadata = manifest.get("kind"), manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return plain(" ".join(part for part in (kind, name) if isinstance(part, str) and part))


def _service_of(manifest: Mapping[str, object]) -> str:
    metadata = manifest.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    service = labels.get(SERVICE_NAME_LABEL) if isinstance(labels, Mapping) else None
    return service if isinstance(service, str) else ""
