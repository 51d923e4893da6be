"""What requests mean: kinds, places and JSON values, out of messages.

In: messages of the API. Out: values of `controlplane.resources`, or the Status that refuses the request. Law: a name
that comes out can be in a path and in the store's keys.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.resources import formats, status
from controlplane.resources.cause import invalid, required
from controlplane.resources.decode import read_json
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.operations import Target
from controlplane.resources.patch import Patch, PatchType
from controlplane.resources.reading import Strictness
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import Json, JsonObject, at, quoted

DEFAULT_NAMESPACE: Final = "default"

# As much as kube-apiserver reads of a request; what is stored of it may have half of that.
_LONGEST: Final = 3 * 1024 * 1024

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STRICTNESS: Final = {
    config_pb2.FIELD_VALIDATION_UNSPECIFIED: Strictness.WARN,
    config_pb2.FIELD_VALIDATION_IGNORE: Strictness.IGNORE,
    config_pb2.FIELD_VALIDATION_WARN: Strictness.WARN,
    config_pb2.FIELD_VALIDATION_STRICT: Strictness.STRICT,
}
_PATCHES: Final = {
    config_pb2.PatchRequest.FORM_MERGE: PatchType.MERGE,
    config_pb2.PatchRequest.FORM_JSON: PatchType.JSON,
}


def kind_of(given: config_pb2.Type) -> Kind | Status:
    """The kind that a request names."""
    return _kind(given.api_version, given.kind)


def target_of(reference: config_pb2.Reference) -> Target | Status:
    """The object that a request names."""
    kind = kind_of(reference.type)
    if isinstance(kind, Status):
        return kind
    return _placed(kind, reference.namespace, reference.name)


def object_in(text: str) -> tuple[Target, JsonObject] | Status:
    """The object in a request, and where it is to be; its name is "" when it leaves it to be generated."""
    body = value_of(text)
    if isinstance(body, Status):
        return body
    if not isinstance(body, dict):
        return bad_request("the object is no JSON object")
    kind = _kind(_text(body.get("apiVersion")), _text(body.get("kind")))
    if isinstance(kind, Status):
        return kind
    namespace, name = (_text(at(body, "metadata", part)) for part in ("namespace", "name"))
    generated = _text(at(body, "metadata", "generateName")) if not name else ""
    target = _placed(kind, namespace, name or generated)
    if isinstance(target, Status):
        return target
    return (Target(kind, target.namespace, name), body)


def named(target: Target) -> Status | None:
    """The Status that refuses an object without a name, where it must have one."""
    if target.name:
        return None
    return status.invalid_object(target.kind.group, target.kind.kind, "", (required("metadata.name"),))


def value_of(text: str) -> Json | Status:
    """The JSON value in a request."""
    if len(text) > _LONGEST:
        return status.too_large(f"limit is {_LONGEST}")
    try:
        value = read_json(text)
        if "\\u" in text:
            # Half of a surrogate pair is JSON, and no text.
            orjson.dumps(value)
    except RecursionError:
        return bad_request("the JSON is nested too deep")
    except (ValueError, TypeError) as error:
        # What was sent may be a Secret: where it is wrong is told, not what is there.
        return bad_request(f"the JSON cannot be read: {_reason(error)}")
    return value


def patch_of(target: Target, form: config_pb2.PatchRequest.Form, text: str) -> Patch | Status:
    """The patch in a request."""
    kind = _PATCHES.get(form)
    if kind is None:
        return bad_request("the form of the patch is not set; set it to FORM_MERGE or FORM_JSON")
    if kind is PatchType.JSON and target.kind.kind == "Secret":
        return bad_request("a JSON patch could read what a Secret holds; send a merge patch, or apply")
    value = value_of(text)
    return value if isinstance(value, Status) else Patch(kind, value)


def strictness_of(given: config_pb2.FieldValidation) -> Strictness | Status:
    """What becomes of unknown fields."""
    return _STRICTNESS.get(given) or bad_request(f"fieldValidation has the unknown value {given}")


def namespace_of(kind: Kind, given: str) -> str | Status:
    """The namespace of a list or watch, "" for all."""
    if not given or (kind.namespaced and not formats.dns1123_label(given)):
        return given
    if not kind.namespaced:
        return bad_request(f"{kind.kind} has no namespaces, and the namespace {quoted(given)} is given")
    return _bad_namespace(kind, "", given)


def _kind(api_version: str, name: str) -> Kind | Status:
    kind = KINDS.get(name)
    if kind is None or api_version != kind.api_version:
        return bad_request(f"no matches for kind {quoted(name)} in version {quoted(api_version)}")
    return kind


def _placed(kind: Kind, namespace: str, name: str) -> Target | Status:
    defects = formats.path_segment(name) if name else []
    if _CONTROL.search(name):
        defects = [*defects, "may not contain control characters"]
    if defects:
        causes = (invalid("metadata.name", name, defect) for defect in defects)
        return status.invalid_object(kind.group, kind.kind, name, causes)
    if not kind.namespaced:
        return Target(kind, "", name)
    if namespace and formats.dns1123_label(namespace):
        return _bad_namespace(kind, name, namespace)
    return Target(kind, namespace or DEFAULT_NAMESPACE, name)


def _bad_namespace(kind: Kind, name: str, namespace: str) -> Status:
    causes = (invalid("metadata.namespace", namespace, defect) for defect in formats.dns1123_label(namespace))
    return status.invalid_object(kind.group, kind.kind, name, causes)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _reason(error: Exception) -> str:
    message = getattr(error, "msg", "")
    line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
    return f"{message} (line {line}, column {column})" if message and line else "it holds what is no text or number"
