"""Responses joined from frames, read back by protobuf."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.snapshot import Resource
from controlplane.xds import response

RESOURCES = [Resource.of(CLUSTER, name, name.encode() * 200) for name in ("a", "b")]


def test_delta_response_is_what_protobuf_would_write() -> None:
    """Every field is where protobuf looks for it, and nothing else is there."""
    message = DeltaDiscoveryResponse.FromString(response.delta(CLUSTER, "7", RESOURCES, ["x", "y"], "isthmus").encode())
    expected = DeltaDiscoveryResponse(type_url=CLUSTER, nonce="7", removed_resources=["x", "y"])
    expected.control_plane.identifier = "isthmus"
    for resource in RESOURCES:
        entry = expected.resources.add(name=resource.name, version=resource.version)
        entry.resource.type_url, entry.resource.value = CLUSTER, resource.body

    assert expected == message


def test_sotw_response_is_what_protobuf_would_write() -> None:
    """Every field is where protobuf looks for it, and nothing else is there."""
    message = DiscoveryResponse.FromString(response.sotw(CLUSTER, "7", RESOURCES, "v1", "isthmus").encode())
    expected = DiscoveryResponse(type_url=CLUSTER, nonce="7", version_info="v1")
    expected.control_plane.identifier = "isthmus"
    for resource in RESOURCES:
        expected.resources.add(type_url=CLUSTER, value=resource.body)

    assert expected == message


def test_response_counts_what_it_carries() -> None:
    """The counts are for metrics, which do not look into the bytes."""
    answer = response.delta(CLUSTER, "7", RESOURCES, ["x"], "isthmus")

    assert (2, 1) == (answer.upserts, answer.removals)
