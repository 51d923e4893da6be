"""The APIService of apiregistration.k8s.io/v1.

In: the fields of one manifest. Out: an `ApiService`, and all that is wrong with it. Law: the rules and words are
kube-aggregator's own; where one is stricter, the comment beside it says why.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from controlplane.model import names
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.settings.labels import label_key, label_value
from controlplane.sources import pem
from controlplane.sources.fields import Fields

_GROUP_PRIORITY_LIMIT: Final = 20_000
_VERSION_PRIORITY_LIMIT: Final = 1_000
_PORT_LIMIT: Final = 65_535
_DEFAULT_PORT: Final = 443
_LOCAL_REMEDY: Final = "remove it, or name the Service that serves this API in spec.service"


def decode_apiservice(name: str, manifest: Fields) -> ApiService | None:
    """The APIService in `manifest`, None when it has no spec; it holds only if `manifest` was given no Problem."""
    labels = _labels(manifest)
    spec = manifest.mapping("spec")
    if spec is None:
        if not manifest.present("spec"):
            manifest.required("spec", "write group, version, groupPriorityMinimum, versionPriority and service")
        return None
    group_version = _group_version(name, manifest, spec)
    group_priority = _priority(spec, "groupPriorityMinimum", _GROUP_PRIORITY_LIMIT)
    version_priority = _priority(spec, "versionPriority", _VERSION_PRIORITY_LIMIT)
    service = _service(spec)
    ca_bundle = _ca_bundle(spec)
    insecure = spec.flag("insecureSkipTLSVerify") or False
    if not spec.present("service"):
        if ca_bundle:
            spec.invalid(
                "caBundle", f"{len(ca_bundle)} bytes", "local APIServices may not have a caBundle", _LOCAL_REMEDY
            )
        if insecure:
            reason = "local APIServices may not have insecureSkipTLSVerify"
            spec.invalid("insecureSkipTLSVerify", insecure, reason, _LOCAL_REMEDY)
    elif insecure and ca_bundle:
        reason = "may not be true if caBundle is present"
        spec.invalid(
            "insecureSkipTLSVerify", insecure, reason, "remove it, so that the backend is verified by caBundle"
        )
    return ApiService(group_version, group_priority, version_priority, service, ca_bundle, insecure, labels)


def _labels(manifest: Fields) -> tuple[tuple[str, str], ...]:
    metadata = manifest.mapping("metadata")
    if metadata is None:
        return ()
    labels = metadata.pairs("labels")
    for key, value in labels:
        if reason := label_key(key):
            metadata.invalid("labels", key, reason, "rename the label")
        elif reason := label_value(value):
            metadata.invalid(f"labels.{key}", value, reason, "write another value, or keep the text in an annotation")
    return labels


def _group_version(name: str, manifest: Fields, spec: Fields) -> GroupVersion:
    group, version = spec.text("group"), spec.text("version")
    if not group and version != "v1":
        reason = "only v1 may have an empty group and it better be legacy kube"
        spec.required("group", "write the API group that the backend serves", reason)
    if group and (reason := names.dns1123_subdomain(group)):
        spec.invalid(
            "group", group, reason, "write the API group that the backend serves, for example apps.example.com"
        )
    if reason := names.dns1035_label(version):
        spec.invalid("version", version, reason, "write the API version that the backend serves, for example v1")
    wanted = f"{version}.{group}"
    if name != wanted:
        reason = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        manifest.invalid("metadata.name", name, reason, f"rename the object to {wanted}, or correct group and version")
    return GroupVersion(group, version)


def _priority(spec: Fields, name: str, limit: int) -> int:
    if not spec.present(name):
        spec.required(name, f"write a number from 1 to {limit}")
        return 0
    value = spec.number(name)
    if value is None:
        return 0
    if not 0 < value <= limit:
        # The limit itself is allowed: the sentence is kube-aggregator's.
        spec.invalid(name, value, f"must be positive and less than {limit}", f"write a number from 1 to {limit}")
    return value


def _service(spec: Fields) -> ServiceReference | None:
    service = spec.mapping("service")
    if service is None:
        return None
    namespace = service.required_text("namespace", "write the namespace of the Service")
    name = service.required_text("name", "write the name of the Service")
    # Stricter than kube-aggregator, which takes any text: no Service of another name can exist, and the two become the
    # host name that the backend is asked for and verified as.
    for field, value in (("namespace", namespace), ("name", name)):
        if value and (reason := names.dns1123_label(value)):
            service.invalid(field, value, reason, f"write the {field} of a Service")
    port = service.number("port")
    if port is not None and not 0 < port <= _PORT_LIMIT:
        reason = f"port is not valid: must be between 1 and {_PORT_LIMIT}, inclusive"
        service.invalid("port", port, reason, f"write the port of the Service, or leave it out for {_DEFAULT_PORT}")
    return ServiceReference(namespace, name, _DEFAULT_PORT if port is None else port)


def _ca_bundle(spec: Fields) -> bytes:
    text = spec.text("caBundle")
    if not text:
        return b""
    remedy = "write the CA's certificates (PEM), base64-encoded, for example the output of: base64 -w0 ca.crt"
    # RFC 4648 with line ends passed over, as Go's decoder has it; the value itself is never repeated in a message.
    try:
        decoded = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        spec.invalid("caBundle", f"{len(text)} characters", "the CA cannot be read: it is not base64", remedy)
        return b""
    # Stricter than kube-aggregator, which never looks inside: it takes the registration and then fails every request.
    if not any(pem.certificates(decoded)):
        reason = "the CA cannot be read: it holds no PEM certificate that parses"
        spec.invalid("caBundle", f"{len(decoded)} bytes", reason, remedy)
    return pem.renewed_first(pem.readable(decoded))
