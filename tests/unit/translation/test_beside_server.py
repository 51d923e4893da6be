"""A server in plain HTTP: its cluster has no TLS, and its APIs are the only ones."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from controlplane.model.apiservice import GroupVersion, ServiceReference
from controlplane.model.resource import CLUSTER
from controlplane.model.topology import PLAINTEXT, Backend, BackendKey, Endpoint
from controlplane.translation import names
from controlplane.translation.clusters import core_resources
from controlplane.translation.routes import sole_resource
from controlplane.translation.selection import select

APIS = (GroupVersion("example.com", "v1"), GroupVersion("example.com", "v2"))


def server(*, http2: bool = False, address: str = "127.0.0.1") -> Backend:
    """The server."""
    key = BackendKey(ServiceReference("", "core", 8080), PLAINTEXT)
    return Backend(key, "localhost", (Endpoint(address, 8080),), dns=False, http2=http2)


@pytest.mark.parametrize("http2", [False, True])
def test_there_is_no_tls_even_with_a_certificate_to_show(http2: bool) -> None:
    """And what is spoken is what the settings say."""
    resource, _ = core_resources(server(http2=http2), present_certificate=True)

    cluster = cluster_pb2.Cluster.FromString(resource.body)
    assert not cluster.HasField("transport_socket")
    assert not any(reference.type_url == CLUSTER for reference in resource.references)
    options = http_protocol_options_pb2.HttpProtocolOptions()
    (packed,) = cluster.typed_extension_protocol_options.values()
    assert packed.Unpack(options)
    explicit = options.explicit_http_config.WhichOneof("protocol_config")
    assert explicit == ("http2_protocol_options" if http2 else "http_protocol_options")


def test_it_may_be_on_a_unix_socket() -> None:
    """The endpoint is a pipe then."""
    _, resource = core_resources(server(address="/run/api.sock"), present_certificate=False)

    assignment = endpoint_pb2.ClusterLoadAssignment.FromString(resource.body)
    assert assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path == "/run/api.sock"


def test_a_backend_without_tls_is_not_verified() -> None:
    """And it is the only kind that is not encrypted."""
    plain = server()
    insecure = Backend(BackendKey(ServiceReference("", "core", 1), "insecure"), "x", (), dns=False)

    assert (plain.encrypted, plain.verified) == (False, False)
    assert (insecure.encrypted, insecure.verified) == (True, False)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/apis/example.com/v1", "api/example.com/v1"),
        ("/apis/example.com/v2/things/a", "api/example.com/v2"),
        ("/apis/example.com/v1x/things", "not-found"),
        ("/apis/example.com/v3", "not-found"),
        ("/apis/other/v1/things", "not-found"),
        ("/api/v1", "not-found"),
        ("/api/v1/namespaces/default/secrets", "not-found"),
        ("/apis/example.com", "server"),
        ("/apis/", "server"),
        ("/apis", "server"),
        ("/api", "server"),
        ("/openapi/v3/apis/example.com/v1", "server"),
        ("/healthz", "server"),
        ("/metrics", "server"),
    ],
)
def test_paths_lead_to_the_server_unless_they_are_of_other_apis(path: str, route: str) -> None:
    """Its own discovery and health, and the group-versions that are listed."""
    scope = sole_resource(server(), APIS)

    found = select(path, {names.core_scope(): scope.body}.get)

    assert found.name == route
