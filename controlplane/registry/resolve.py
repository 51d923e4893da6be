"""Joins one APIService with its Service and EndpointSlices.

In: the APIService, the Service it names (None: no manifest describes it), that Service's slices, the DNS template.
Out: the Available condition with kube-aggregator's reasons and words (remote_available_controller.go), and the Backend
to proxy to (None when there is none). Law: never raises; whatever is missing is a Condition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, ServiceReference
from controlplane.model.service import EndpointSlice, Service, ServiceType
from controlplane.model.topology import Backend, BackendKey, Endpoint

LOCAL = Condition(ConditionStatus.TRUE, "Local", "Local APIServices are always available")
PASSED = Condition(ConditionStatus.TRUE, "Passed", "all checks passed")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one APIService comes to; `backend` is None for Local ones and for those that cannot be reached."""

    condition: Condition
    backend: Backend | None = None


def resolve(api: ApiService, service: Service | None, slices: Iterable[EndpointSlice], dns_template: str) -> Resolved:
    """The condition and backend of one APIService.

    A Service that no manifest describes is found by `dns_template` ("{name}.{namespace}.svc"): a folder of manifests,
    unlike a cluster, need not describe every Service. Everything else follows kube-aggregator with
    --enable-aggregator-routing, but that an ExternalName Service works too, as it does without that flag.
    """
    reference = api.service
    if reference is None:
        return Resolved(LOCAL)
    if service is None:
        host = dns_template.format(name=reference.name, namespace=reference.namespace)
        return Resolved(PASSED, _named(api, reference, host))
    if service.type is ServiceType.EXTERNAL_NAME:
        return Resolved(PASSED, _named(api, reference, service.external_name))
    return _routed(api, reference, service, slices)


def _routed(
    api: ApiService, reference: ServiceReference, service: Service, slices: Iterable[EndpointSlice]
) -> Resolved:
    port = next((port for port in service.ports if port.port == reference.port), None)
    if port is None:
        return _unavailable("ServicePortError", f"{_quoted(reference)} is not listening on port {reference.port}")
    found = sorted(slices, key=lambda item: (item.namespace, item.name))
    if not found:
        return _unavailable("EndpointsNotFound", f"cannot find endpointslices for {_quoted(reference)}")
    endpoints = {
        Endpoint(endpoint.addresses[0], slice_port.port)
        for item in found
        for slice_port in item.ports
        if slice_port.name == port.name and slice_port.port is not None
        for endpoint in item.endpoints
        if endpoint.addresses and endpoint.ready is not False
    }
    if not endpoints:
        missing = f'endpointslices for {_quoted(reference)} have no addresses with port name "{port.name}"'
        return _unavailable("MissingEndpoints", missing)
    # Envoy resolves names for a whole cluster or for none of it; addresses win, names serve only where there is
    # nothing else.
    addresses = frozenset(endpoint for endpoint in endpoints if _is_ip(endpoint.address))
    chosen = addresses or endpoints
    return Resolved(PASSED, _backend(api, reference, tuple(sorted(chosen)), dns=not addresses))


def _named(api: ApiService, reference: ServiceReference, host: str) -> Backend:
    endpoint = Endpoint(host.rstrip("."), reference.port)
    return _backend(api, reference, (endpoint,), dns=not _is_ip(endpoint.address))


def _backend(api: ApiService, reference: ServiceReference, endpoints: tuple[Endpoint, ...], *, dns: bool) -> Backend:
    return Backend(
        key=BackendKey(reference, trust_of(api.ca_bundle, insecure=api.insecure_skip_tls_verify)),
        server_name=f"{reference.name}.{reference.namespace}.svc",
        endpoints=endpoints,
        dns=dns,
        ca_bundle=api.ca_bundle,
    )


def trust_of(ca_bundle: bytes, *, insecure: bool) -> str:
    """The `trust` of a BackendKey: "insecure", "system", or the hex SHA-256 of the CA bundle."""
    if insecure:
        return "insecure"
    return hashlib.sha256(ca_bundle).hexdigest() if ca_bundle else "system"


def _unavailable(reason: str, message: str) -> Resolved:
    return Resolved(Condition(ConditionStatus.FALSE, reason, message))


def _quoted(reference: ServiceReference) -> str:
    return f'service/{reference.name} in "{reference.namespace}"'


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
