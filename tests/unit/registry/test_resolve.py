"""The rows of kube-aggregator's TestSync, and what Isthmus adds to them."""

import hashlib

import pytest

from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.service import (
    EndpointSlice,
    Service,
    ServiceName,
    ServicePort,
    ServiceType,
    SliceEndpoint,
    SlicePort,
)
from controlplane.model.topology import Endpoint
from controlplane.registry.resolve import LOCAL, PASSED, resolve

NAME = ServiceName("foo", "bar")
TEMPLATE = "{name}.{namespace}.svc"


def an_api(**changes: object) -> ApiService:
    """A remote APIService served by foo/bar:443."""
    fields: dict[str, object] = {
        "group_version": GroupVersion("remote.group", "v1"),
        "group_priority_minimum": 1000,
        "version_priority": 10,
        "service": ServiceReference("foo", "bar", 443),
    }
    return ApiService(**{**fields, **changes})  # type: ignore[arg-type]


def a_service(**changes: object) -> Service:
    """A ClusterIP Service with one port."""
    fields: dict[str, object] = {"name": NAME, "cluster_ip": "10.0.0.1", "ports": (ServicePort("https", 443),)}
    return Service(**{**fields, **changes})  # type: ignore[arg-type]


def a_slice(
    *endpoints: SliceEndpoint, name: str = "one", port: str = "https", number: int | None = 6443, kind: str = "IPv4"
) -> EndpointSlice:
    """A slice of foo/bar."""
    return EndpointSlice("foo", name, NAME, kind, endpoints, (SlicePort(port, number),))


READY = SliceEndpoint(("10.1.0.1",), ready=True)


@pytest.mark.parametrize(
    ("case", "service", "slices", "reason", "message"),
    [
        (
            "wrong port",
            a_service(ports=(ServicePort("https", 6443),)),
            [a_slice(READY)],
            "ServicePortError",
            'service/bar in "foo" is not listening on port 443',
        ),
        (
            "no slices",
            a_service(),
            [],
            "EndpointsNotFound",
            'cannot find endpointslices for service/bar in "foo"',
        ),
        (
            "no endpoints",
            a_service(),
            [a_slice()],
            "MissingEndpoints",
            'endpointslices for service/bar in "foo" have no addresses with port name "https"',
        ),
        (
            "wrong port name",
            a_service(),
            [a_slice(READY, port="wrong")],
            "MissingEndpoints",
            'endpointslices for service/bar in "foo" have no addresses with port name "https"',
        ),
        (
            "not ready",
            a_service(),
            [a_slice(SliceEndpoint(("10.1.0.1",), ready=False))],
            "MissingEndpoints",
            'endpointslices for service/bar in "foo" have no addresses with port name "https"',
        ),
        (
            "a port without a number",
            a_service(),
            [a_slice(READY, number=None)],
            "MissingEndpoints",
            'endpointslices for service/bar in "foo" have no addresses with port name "https"',
        ),
    ],
)
def test_what_is_missing_is_a_condition_in_kube_aggregators_words(
    case: str, service: Service, slices: list[EndpointSlice], reason: str, message: str
) -> None:
    """Each thing that is missing has kube-aggregator's reason and message, and there is no backend."""
    resolved = resolve(an_api(), service, slices, TEMPLATE)

    assert Condition(ConditionStatus.FALSE, reason, message) == resolved.condition, case
    assert resolved.backend is None


def test_an_apiservice_without_a_service_is_local() -> None:
    """No Service means that the core API server serves the group-version itself."""
    assert resolve(an_api(service=None), None, (), TEMPLATE).condition == LOCAL


def test_ready_endpoints_of_all_slices_become_the_backend_in_order() -> None:
    """Endpoints whose ready is true or not given count, once each, sorted; only the first address of each is used."""
    slices = [
        a_slice(SliceEndpoint(("10.1.0.9",)), READY, name="two"),
        a_slice(READY, SliceEndpoint(("10.1.0.2", "10.9.9.9"), ready=True), SliceEndpoint(("10.1.0.3",), ready=False)),
    ]

    resolved = resolve(an_api(), a_service(), slices, TEMPLATE)

    assert resolved.condition == PASSED
    assert resolved.backend is not None
    assert (Endpoint("10.1.0.1", 6443), Endpoint("10.1.0.2", 6443), Endpoint("10.1.0.9", 6443)) == (
        resolved.backend.endpoints
    )
    assert not resolved.backend.dns
    assert resolved.backend.server_name == "bar.foo.svc"


def test_a_headless_service_is_routed_to_its_endpoints() -> None:
    """Headless Services work by their slices, as with --enable-aggregator-routing."""
    resolved = resolve(an_api(), a_service(cluster_ip="None"), [a_slice(READY)], TEMPLATE)

    assert resolved.backend is not None
    assert (Endpoint("10.1.0.1", 6443),) == resolved.backend.endpoints


def test_an_external_name_is_resolved_by_envoy_and_its_ports_are_not_checked() -> None:
    """ExternalName gives the name with the APIService's port, and no port of the Service matters."""
    service = a_service(type=ServiceType.EXTERNAL_NAME, external_name="api.example.com.", ports=())

    resolved = resolve(an_api(), service, (), TEMPLATE)

    assert resolved.backend is not None
    assert (Endpoint("api.example.com", 443),) == resolved.backend.endpoints
    assert resolved.backend.dns
    assert resolved.backend.server_name == "bar.foo.svc"


def test_an_external_name_that_is_an_address_needs_no_resolving() -> None:
    """An IP address as external name is connected to as it is."""
    service = a_service(type=ServiceType.EXTERNAL_NAME, external_name="127.0.0.1", ports=())

    resolved = resolve(an_api(), service, (), TEMPLATE)

    assert resolved.backend is not None
    assert not resolved.backend.dns


def test_a_service_nobody_described_is_found_by_the_dns_template() -> None:
    """Without a Service manifest the template names the host."""
    resolved = resolve(an_api(), None, (), "{name}")

    assert resolved.backend is not None
    assert (Endpoint("bar", 443),) == resolved.backend.endpoints
    assert resolved.backend.dns


def test_addresses_win_over_names_in_mixed_slices() -> None:
    """A cluster is resolved as a whole or not at all, so FQDN endpoints serve only where there are no addresses."""
    named = a_slice(SliceEndpoint(("a.example.com",)), name="named", kind="FQDN")

    mixed = resolve(an_api(), a_service(), [named, a_slice(READY)], TEMPLATE).backend
    only_names = resolve(an_api(), a_service(), [named], TEMPLATE).backend

    assert mixed is not None
    assert (Endpoint("10.1.0.1", 6443),) == mixed.endpoints
    assert only_names is not None
    assert only_names.dns


@pytest.mark.parametrize(
    ("changes", "trust"),
    [
        ({}, "system"),
        ({"insecure_skip_tls_verify": True}, "insecure"),
        ({"ca_bundle": b"pem"}, hashlib.sha256(b"pem").hexdigest()),
    ],
)
def test_trust_is_part_of_what_makes_a_backend_one(changes: dict[str, object], trust: str) -> None:
    """The same Service under another trust is another backend, so no connection is shared across trusts."""
    backend = resolve(an_api(**changes), None, (), TEMPLATE).backend

    assert backend is not None
    assert trust == backend.key.trust
    assert backend.verified is (trust != "insecure")
