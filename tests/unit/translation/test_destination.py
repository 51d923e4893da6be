"""Where the requests of a cluster go, read from the resources."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.model.apiservice import ServiceReference
from controlplane.model.explanation import Destination
from controlplane.model.topology import Backend, BackendKey, Endpoint
from controlplane.settings.address import Address
from controlplane.translation.clusters import backend_resources
from controlplane.translation.destination import destination
from controlplane.translation.own_clusters import own_cluster

BACKEND = Backend(
    BackendKey(ServiceReference("ns", "svc"), "system"),
    "svc.ns.svc",
    (Endpoint("10.0.0.7", 8443), Endpoint("fd00::7", 8443)),
    dns=False,
)


def read(backend: Backend, *, present_certificate: bool = True) -> Destination:
    """What the resources of a backend say."""
    cluster, *assignments = backend_resources(backend, present_certificate=present_certificate)
    return destination(cluster.body, assignments[0].body if assignments else None)


@pytest.mark.parametrize(
    ("trust", "bundle", "expected"),
    [("system", b"", "system roots"), ("insecure", b"", "insecure"), ("5f0c", b"PEM", "caBundle")],
)
def test_addresses_and_trust_are_those_of_the_backend(trust: str, bundle: bytes, expected: str) -> None:
    """Endpoints, server name, what verifies the certificate, and which one is shown."""
    key = BackendKey(BACKEND.key.service, trust)

    assert read(replace(BACKEND, key=key, ca_bundle=bundle)) == Destination(
        ("10.0.0.7:8443", "[fd00::7]:8443"),
        dns=False,
        tls=True,
        server_name="svc.ns.svc",
        trust=expected,
        client_certificate=True,
        connect_timeout_seconds=5.0,
    )


def test_names_are_resolved_by_envoy() -> None:
    """A backend that is found by DNS has its endpoints in the cluster itself."""
    found = read(replace(BACKEND, endpoints=(Endpoint("svc.internal", 443),), dns=True), present_certificate=False)

    assert (("svc.internal:443",), True, False) == (found.endpoints, found.dns, found.client_certificate)


def test_the_control_plane_may_be_at_a_socket() -> None:
    """Its own clusters are told of like any other."""
    cluster = own_cluster("isthmus/discovery", (Address(path="/run/discovery.sock"),), None, http2=False)

    assert destination(cluster.body, None) == Destination(
        ("unix:/run/discovery.sock",), dns=False, connect_timeout_seconds=1.0
    )
