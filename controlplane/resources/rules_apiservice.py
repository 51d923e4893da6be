"""The rules for APIServices.

In: an APIService in its normal form. Out: what it defaults to, and every rule it breaks. Law: kube-aggregator's own
rules and sentences (apiregistration.k8s.io/v1).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from controlplane.resources import formats, metadata
from controlplane.resources.cause import Cause, invalid, required, unsupported
from controlplane.resources.values import JsonObject, at

_GROUP_PRIORITY_LIMIT: Final = 20_000
_VERSION_PRIORITY_LIMIT: Final = 1_000
_DEFAULT_PORT: Final = 443
_STATUSES: Final = ("True", "False", "Unknown")


def default(obj: JsonObject) -> None:
    """Fills in the port of the Service."""
    service = at(obj, "spec", "service")
    if service is not None and service.get("port") is None:
        service["port"] = _DEFAULT_PORT


def prepare_create(obj: JsonObject, now: str) -> None:
    """Wipes the status; an API that the core server serves itself is available at once."""
    obj["status"] = {}
    if at(obj, "spec", "service") is None:
        condition = {"type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local"}
        obj["status"] = {"conditions": [{**condition, "message": "Local APIServices are always available"}]}


def check(obj: JsonObject) -> Iterator[Cause]:
    """Every rule that an APIService breaks."""
    spec = obj["spec"]
    group, version = spec.get("group", ""), spec.get("version", "")
    wanted = f"{version}.{group}"

    def name_rule(name: str, *, prefix: bool) -> formats.Defects:  # noqa: ARG001 - the form of every name rule
        if defects := formats.path_segment(name):
            return defects
        return () if name == wanted else (f'must be `spec.version+"."+spec.group`: "{wanted}"',)

    yield from metadata.object_meta(obj["metadata"], name_rule, namespaced=False)
    if not group and version != "v1":
        yield required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    if group:
        yield from (invalid("spec.group", group, defect) for defect in formats.dns1123_subdomain(group))
    yield from (invalid("spec.version", version, defect) for defect in formats.dns1035_label(version))
    for name, limit in (("groupPriorityMinimum", _GROUP_PRIORITY_LIMIT), ("versionPriority", _VERSION_PRIORITY_LIMIT)):
        if not 0 < spec[name] <= limit:
            # The limit itself is allowed: the sentence is kube-aggregator's.
            yield invalid(f"spec.{name}", spec[name], f"must be positive and less than {limit}")
    service = spec.get("service")
    yield from _local(spec) if service is None else _remote(spec, service)


def check_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of an APIService breaks."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    yield from check(obj)


def check_status_update(obj: JsonObject, old: JsonObject) -> Iterator[Cause]:
    """Every rule that a change of the status breaks."""
    yield from metadata.object_meta_update(obj["metadata"], old["metadata"])
    for index, condition in enumerate(obj["status"].get("conditions", ())):
        if condition["status"] not in _STATUSES:
            yield unsupported(f"status.conditions[{index}].status", condition["status"], _STATUSES)


def _local(spec: JsonObject) -> Iterator[Cause]:
    if bundle := spec.get("caBundle"):
        shown = f"{len(base64.b64decode(bundle))} bytes"
        yield invalid("spec.caBundle", shown, "local APIServices may not have a caBundle")
    if spec.get("insecureSkipTLSVerify"):
        detail = "local APIServices may not have insecureSkipTLSVerify"
        yield invalid("spec.insecureSkipTLSVerify", value=True, detail=detail)


def _remote(spec: JsonObject, service: JsonObject) -> Iterator[Cause]:
    for name in ("namespace", "name"):
        if not service.get(name):
            yield required(f"spec.service.{name}")
    if defects := formats.port_number(service["port"]):
        yield invalid("spec.service.port", service["port"], "port is not valid: " + ", ".join(defects))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        yield invalid("spec.insecureSkipTLSVerify", value=True, detail="may not be true if caBundle is present")
