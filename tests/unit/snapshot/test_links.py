"""What Envoy's messages lean on."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from google.protobuf.json_format import ParseDict

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, VIRTUAL_HOST, ResourceName
from controlplane.snapshot.links import links
from controlplane.snapshot.snapshot import Resource

HOST = {
    "name": "h",
    "request_mirror_policies": [{"cluster": "mirror"}],
    "routes": [
        {"route": {"cluster": "one"}},
        {"route": {"weighted_clusters": {"clusters": [{"name": "two"}, {"name": "three"}]}}},
        {"route": {"cluster": "one", "request_mirror_policies": [{"cluster": "shadow"}]}},
        {"route": {"cluster_header": "x"}},
        {"direct_response": {"status": 404}},
    ],
}


@pytest.mark.parametrize(
    ("type_url", "message"),
    [
        (ROUTE, ParseDict({"virtual_hosts": [HOST]}, RouteConfiguration())),
        (SCOPED_ROUTE, ParseDict({"route_configuration": {"virtual_hosts": [HOST]}}, ScopedRouteConfiguration())),
        (VIRTUAL_HOST, ParseDict(HOST, VirtualHost())),
    ],
)
def test_routes_refer_to_clusters(type_url: str, message: RouteConfiguration) -> None:
    """To each of several, to mirrors, and to no empty name."""
    references, children = links(type_url, message.SerializeToString())

    assert {"one", "two", "three", "mirror", "shadow"} == {reference.name for reference in references}
    assert ({CLUSTER}, frozenset()) == ({reference.type_url for reference in references}, children)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ({"name": "a"}, []),
        ({"name": "a", "type": "STRICT_DNS"}, []),
        ({"name": "a", "type": "EDS"}, ["a"]),
        ({"name": "a", "type": "EDS", "eds_cluster_config": {"service_name": "b"}}, ["b"]),
    ],
)
def test_a_cluster_has_a_load_assignment_where_it_says_so(cluster: dict[str, object], expected: list[str]) -> None:
    """Of its own name, or of another's."""
    read = links(CLUSTER, ParseDict(cluster, Cluster()).SerializeToString())

    assert (frozenset(), frozenset(ResourceName(ENDPOINTS, name) for name in expected)) == read


@pytest.mark.parametrize("type_url", [CLUSTER, ROUTE, SCOPED_ROUTE, VIRTUAL_HOST, LISTENER, "type.googleapis.com/x.Y"])
@pytest.mark.parametrize("body", [b"", b"\xff", b"garbage"])
def test_bytes_that_say_nothing_lean_on_nothing(type_url: str, body: bytes) -> None:
    """A resource needs to mean nothing."""
    assert (frozenset(), frozenset()) == links(type_url, body)


def test_who_says_what_a_resource_leans_on_is_believed() -> None:
    """Only where neither is said are bytes read."""
    body = Cluster(name="a", type=Cluster.EDS).SerializeToString()
    other = frozenset((ResourceName(ENDPOINTS, "other"),))
    said, silent = Resource.of(CLUSTER, "a", body, references=frozenset()), Resource.of(CLUSTER, "a", body)

    assert (frozenset(), False) == (said.children, said.read)
    assert (frozenset((ResourceName(ENDPOINTS, "a"),)), True) == (silent.children, silent.read)
    assert other == Resource.of(CLUSTER, "a", body, children=other).children
