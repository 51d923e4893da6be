"""The Service of core v1 and the EndpointSlice of discovery.k8s.io/v1.

In: the fields of one manifest. Out: a `Service` or `EndpointSlice`, and all that is wrong with it. Law: the addresses
in what holds are IP addresses of the stated family, or DNS names where a slice says FQDN.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from controlplane.model import names
from controlplane.model.service import (
    EndpointSlice,
    Service,
    ServiceName,
    ServicePort,
    ServiceType,
    SliceEndpoint,
    SlicePort,
)
from controlplane.sources.fields import Fields

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"

_HEADLESS: Final = "None"
_PORT_LIMIT: Final = 65_535
_PORT_REASON: Final = f"must be between 1 and {_PORT_LIMIT}, inclusive"
_ADDRESS_TYPES: Final = ("IPv4", "IPv6", "FQDN")


def decode_service(namespace: str, name: str, manifest: Fields) -> Service | None:
    """The Service in `manifest`, None when it has no spec to read; it holds only if `manifest` was given no Problem."""
    if reason := names.dns1123_label(name):
        manifest.invalid("metadata.name", name, reason, "rename the Service")
    spec = manifest.mapping("spec")
    if spec is None:
        if not manifest.present("spec"):
            manifest.required("spec", "write the ports of the Service")
        return None
    service_type = _service_type(spec)
    cluster_ip = _cluster_ip(spec, service_type)
    external_name = _external_name(spec) if service_type is ServiceType.EXTERNAL_NAME else ""
    ports = _service_ports(spec, service_type)
    return Service(ServiceName(namespace, name), service_type, cluster_ip, external_name, ports)


def _service_type(spec: Fields) -> ServiceType:
    text = spec.text("type", ServiceType.CLUSTER_IP.value)
    try:
        return ServiceType(text)
    except ValueError:
        spec.unsupported("type", text, sorted(known.value for known in ServiceType), "write one of these")
        return ServiceType.CLUSTER_IP


def _cluster_ip(spec: Fields, service_type: ServiceType) -> str:
    cluster_ip = spec.text("clusterIP")
    if service_type is ServiceType.EXTERNAL_NAME and cluster_ip:
        spec.invalid("clusterIP", cluster_ip, "may not be set for ExternalName services", "remove it")
    elif cluster_ip == _HEADLESS and service_type is not ServiceType.CLUSTER_IP:
        reason = f"may not be set to 'None' for {service_type.value} services"
        spec.invalid("clusterIP", cluster_ip, reason, "remove it, or make the type ClusterIP")
    elif cluster_ip not in ("", _HEADLESS) and _address(cluster_ip) is None:
        spec.invalid("clusterIP", cluster_ip, "must be a valid IP address", "write an address, None, or leave it out")
    return cluster_ip


def _external_name(spec: Fields) -> str:
    external_name = spec.required_text("externalName", "write the DNS name of the server")
    # A dot at the end is allowed: it marks the name as fully qualified.
    if external_name and (reason := names.dns1123_subdomain(external_name.removesuffix("."))):
        spec.invalid("externalName", external_name, reason, "write the DNS name of the server")
    return external_name


def _service_ports(spec: Fields, service_type: ServiceType) -> tuple[ServicePort, ...]:
    entries = spec.mappings("ports")
    # Kubernetes lets a headless Service have none, but then no APIService can use it.
    if spec.empty("ports") and service_type is not ServiceType.EXTERNAL_NAME:
        spec.required("ports", "list the port that the APIService names, 443 when it names none")
    ports: list[ServicePort] = []
    seen: set[str] = set()
    for entry in entries:
        name = entry.text("name")
        if not name and len(entries) > 1:
            entry.required("name", "name every port when there are several")
        elif name and (reason := names.dns1123_label(name)):
            entry.invalid("name", name, reason, "rename the port")
        elif name in seen:
            entry.duplicate("name", name, "give each port another name")
        seen.add(name)
        ports.append(ServicePort(name, _port(entry, required=True) or 0))
    return tuple(ports)


def decode_endpoint_slice(namespace: str, name: str, service: str, manifest: Fields) -> EndpointSlice:
    """The EndpointSlice in `manifest` of the Service `service`; it holds only if `manifest` was given no Problem."""
    if reason := names.dns1123_subdomain(name):
        manifest.invalid("metadata.name", name, reason, "rename the EndpointSlice")
    if reason := names.dns1123_label(service):
        field = f"metadata.labels[{SERVICE_NAME_LABEL}]"
        manifest.invalid(field, service, reason, "write the name of the Service that the slice belongs to")
    address_type = manifest.required_text("addressType", "write IPv4, IPv6 or FQDN")
    if address_type and address_type not in _ADDRESS_TYPES:
        manifest.unsupported("addressType", address_type, _ADDRESS_TYPES, "write one of these")
    endpoints = tuple(_endpoint(entry, address_type) for entry in manifest.mappings("endpoints"))
    ports = tuple(_slice_port(entry) for entry in manifest.mappings("ports"))
    return EndpointSlice(namespace, name, ServiceName(namespace, service), address_type, endpoints, ports)


def _endpoint(entry: Fields, address_type: str) -> SliceEndpoint:
    addresses = entry.texts("addresses")
    if entry.empty("addresses"):
        entry.required("addresses", "list the address of the endpoint, or remove the endpoint")
    for index, address in enumerate(addresses):
        if reason := _wrong_with(address, address_type):
            entry.invalid(
                f"addresses[{index}]", address, reason, f"write an address of the slice's type, {address_type}"
            )
    conditions = entry.mapping("conditions")
    return SliceEndpoint(addresses, None if conditions is None else conditions.flag("ready"))


def _slice_port(entry: Fields) -> SlicePort:
    return SlicePort(entry.text("name"), _port(entry, required=False))


def _port(entry: Fields, *, required: bool) -> int | None:
    if required and not entry.present("port"):
        entry.required("port", f"write a number from 1 to {_PORT_LIMIT}")
        return None
    port = entry.number("port")
    if port is not None and not 0 < port <= _PORT_LIMIT:
        entry.invalid("port", port, _PORT_REASON, f"write a number from 1 to {_PORT_LIMIT}")
    return port


def _wrong_with(address: str, address_type: str) -> str:
    """What is wrong with an endpoint's address, "" when nothing is or when the slice's type is not known."""
    if address_type == "FQDN":
        return names.dns1123_subdomain(address.removesuffix("."))
    if address_type not in _ADDRESS_TYPES:
        return ""
    parsed = _address(address)
    if parsed is None or f"IPv{parsed.version}" != address_type:
        return f"must be a valid {address_type} address"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_unspecified:
        return "may not be unspecified (0.0.0.0 or ::)"
    # The link-local range is where clouds serve machine credentials: a manifest must not make them reachable.
    if parsed.is_link_local:
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if parsed.is_multicast:
        return "may not be a multicast address"
    # kube-apiserver refuses loopback too, for there an endpoint is a pod. Here the folder, the proxy and the backend
    # may share one machine, and its backends then listen on loopback only, which is the safe thing to do.
    return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    # A zone ("fe80::1%eth0") means something on one machine only.
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
