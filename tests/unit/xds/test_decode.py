"""Protobuf requests as values."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from controlplane.model.resource import CLUSTER
from controlplane.xds.decode import delta_request, sotw_request
from controlplane.xds.request import DeltaRequest, Node, SotwRequest


def test_delta_request_keeps_every_field() -> None:
    """What the wire carried is in the value, and Envoy's version is written as people write it."""
    message = DeltaDiscoveryRequest(
        type_url=CLUSTER,
        response_nonce="3",
        resource_names_subscribe=["a", "b"],
        resource_names_unsubscribe=["c"],
        initial_resource_versions={"a": "1"},
    )
    message.node.id, message.node.cluster = "envoy-1", "front"
    version = message.node.user_agent_build_version.version
    version.major_number, version.minor_number, version.patch = 1, 40, 2
    message.error_detail.message = "bad"

    assert DeltaRequest(
        CLUSTER, "3", ("a", "b"), ("c",), {"a": "1"}, error="bad", node=Node("envoy-1", "front", "1.40.2")
    ) == delta_request(message)


def test_sotw_request_keeps_every_field() -> None:
    """What the wire carried is in the value."""
    message = DiscoveryRequest(type_url=CLUSTER, response_nonce="3", resource_names=["a"], version_info="v")
    message.node.id, message.node.user_agent_version = "grpc-1", "1.85"

    assert SotwRequest(CLUSTER, "3", ("a",), "v", node=Node("grpc-1", version="1.85")) == sotw_request(message)


def test_error_without_words_is_an_error() -> None:
    """W2: the presence of error_detail makes the NACK, and its absence an ACK."""
    message = DeltaDiscoveryRequest()
    absent = delta_request(message).error
    message.error_detail.SetInParent()

    assert (None, "") == (absent, delta_request(message).error)


def test_long_errors_are_cut() -> None:
    """Envoy's reason may quote a page of configuration; status and log keep its beginning."""
    message = DiscoveryRequest()
    message.error_detail.message = "x" * 10_000

    assert 2000 == len(sotw_request(message).error)


def test_node_is_none_when_it_was_not_sent() -> None:
    """Envoy sends its node once a stream."""
    assert (None, None) == (delta_request(DeltaDiscoveryRequest()).node, sotw_request(DiscoveryRequest()).node)
