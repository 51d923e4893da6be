"""What a stream tells about its client."""

from unit.xds.client import build, delta

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.xds.request import Node
from controlplane.xds.status import ProxyStatus, TypeStatus


def test_status_before_the_first_request() -> None:
    """A stream that has said nothing is known by its peer alone."""
    snapshot = build.snapshot()
    client = delta(snapshot, peer="unix:")

    assert ProxyStatus("unix:", "delta", None, 100.0, snapshot.generation, 0, ()) == client.stream.status()


def test_status_follows_a_response_and_its_acknowledgement() -> None:
    """Sent and acknowledged carry nonces and times, each type by itself, in the order of sending."""
    snapshot = build.snapshot(build.cluster("a"), build.endpoints("a"), build.endpoints("b"))
    client = delta(snapshot)
    client.ask(ENDPOINTS, ["a", "b"])
    client.ask(CLUSTER)
    client.now = 101.0
    cluster, _ = client.all()
    client.now = 102.5
    client.ack(cluster)
    client.next()

    assert (
        TypeStatus(CLUSTER, True, 0, 0, "1", 101.0, "1", 102.5, "", (), total=1),
        TypeStatus(ENDPOINTS, False, 2, 2, "2", 101.0, "", None, "", (), total=2),
    ) == client.stream.status().types
    assert (Node("envoy-1"), 0) == (client.stream.status().node, client.stream.status().acked_generation)


def test_acknowledged_generation_is_the_offered_one_once_in_step() -> None:
    """A generation counts as acknowledged when nothing of it is left to send or to hear about."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.settle()
    in_step = client.stream.status().acked_generation
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))
    client.next()
    behind = client.stream.status()

    assert (1, 1, 2) == (in_step, behind.acked_generation, behind.offered_generation)
