"""Protobuf requests as values."""

from collections.abc import AsyncIterator

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from controlplane.model.resource import CLUSTER
from controlplane.xds.decode import decoded, delta_request, sotw_request
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


def _with_metadata(**metadata: object) -> DeltaDiscoveryRequest:
    message = DeltaDiscoveryRequest()
    message.node.id = "envoy-1"
    message.node.metadata.update(metadata)
    return message


def _metadata(message: DeltaDiscoveryRequest, *keys: str) -> tuple[tuple[str, str], ...]:
    node = delta_request(message, keys).node
    assert node is not None
    return node.metadata


def test_of_the_metadata_only_what_is_asked_for_is_read() -> None:
    """A node may send kilobytes of it."""
    message = _with_metadata(zone="east", rack="7", other="x")

    assert () == _metadata(message)
    assert (("rack", "7"), ("zone", "east")) == _metadata(message, "zone", "rack", "absent")


def test_metadata_keys_with_dots_are_keys_first_and_paths_second() -> None:
    """Both ways of writing are found, and a message is not changed by looking."""
    message = _with_metadata(**{"a.b": "flat"}, a={"b": "nested", "c": {"d": "deep"}}, text="x")
    before = message.SerializeToString(deterministic=True)

    assert (("a.b", "flat"), ("a.c.d", "deep")) == _metadata(message, "a.b", "a.c.d", "a.c.e", "a.x.y", "text.x", "a.c")
    assert before == message.SerializeToString(deterministic=True)


def test_metadata_that_is_no_text_is_not_there() -> None:
    """Groups compare texts: 7 is not "7"."""
    assert () == _metadata(_with_metadata(a=7, b=True, c=None, d=["x"], e={"f": "x"}), "a", "b", "c", "d", "e")


async def test_metadata_is_read_from_the_first_request_of_a_stream() -> None:
    """A client that repeats its node with every request costs nothing more."""

    async def messages() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield _with_metadata(zone="east").SerializeToString()

    requests = [
        request async for request in decoded(messages(), DeltaDiscoveryRequest.FromString, delta_request, ["zone"])
    ]

    assert [Node("envoy-1", metadata=(("zone", "east"),)), Node("envoy-1")] == [request.node for request in requests]
