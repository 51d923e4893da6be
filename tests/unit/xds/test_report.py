"""The state of each proxy, as the facts of its stream make it."""

from __future__ import annotations

from unit.xds.client import Client, build, delta

from controlplane.model.proxy import Proxy, ProxyState, RejectedResource
from controlplane.model.resource import CLUSTER, ENDPOINTS, ResourceName
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.report import proxies
from controlplane.xds.request import Node


def report(*clients: Client) -> tuple[Proxy, ...]:
    """What is told of these clients."""
    return proxies(client.stream.status() for client in clients)


def rejecting(snapshot: Snapshot) -> Client:
    """A client that rejected the only cluster."""
    client = delta(snapshot)
    client.ask(CLUSTER)
    client.nack(client.next(), reason="no such filter")
    client.settle()
    return client


def test_proxy_that_has_acknowledged_everything_is_synced() -> None:
    """Everything that is known of the stream is carried over."""
    snapshot = build.snapshot(build.cluster("a"))
    client = delta(snapshot, peer="unix:")
    client.ask(CLUSTER, node=Node("envoy-1", "edge", "1.40.0"))
    client.settle()

    (proxy,) = report(client)

    assert (proxy.node_id, proxy.cluster, proxy.version, proxy.peer, proxy.protocol, proxy.connected_at) == (
        "envoy-1",
        "edge",
        "1.40.0",
        "unix:",
        "delta",
        100.0,
    )
    assert (proxy.state, proxy.offered_generation, proxy.acked_generation) == (ProxyState.SYNCED, 1, 1)
    assert [(kind.type_url, kind.state, kind.acked_at) for kind in proxy.types] == [(CLUSTER, ProxyState.SYNCED, 100.0)]


def test_response_without_an_answer_makes_its_type_stale() -> None:
    """One type behind makes the proxy stale, and leaves the others as they are."""
    snapshot = build.snapshot(build.cluster("a"), build.endpoints("a"))
    client = delta(snapshot)
    client.ask(CLUSTER)
    client.settle()
    client.ask(ENDPOINTS, ["a"])
    client.next()

    (proxy,) = report(client)

    assert proxy.state is ProxyState.STALE
    assert [(kind.state, kind.behind) for kind in proxy.types] == [(ProxyState.SYNCED, 0), (ProxyState.STALE, 1)]


def test_response_that_is_sent_again_makes_its_type_stale() -> None:
    """A client that holds everything may still owe an answer: Envoy expects endpoints again with their cluster."""
    snapshot = build.snapshot(build.cluster("a"), build.endpoints("a"))
    client = delta(snapshot)
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a"])
    client.settle()
    changed = snapshot.updated([build.cluster("a", "2")])
    client.offer(changed)
    answers = client.all()
    client.ack(answers[0])

    (proxy,) = report(client)

    assert [(kind.state, kind.behind) for kind in proxy.types] == [(ProxyState.SYNCED, 0), (ProxyState.STALE, 0)]


def test_rejected_resource_is_told_with_version_and_reason() -> None:
    """REJECTED outweighs everything else."""
    snapshot = build.snapshot(build.cluster("a"))
    client = rejecting(snapshot)

    (proxy,) = report(client)
    version = snapshot.table(CLUSTER)["a"].version

    assert proxy.state is ProxyState.REJECTED
    assert (RejectedResource("a", version, "no such filter"),) == proxy.types[0].rejected


def test_rejection_by_another_proxy_is_told_of_who_lacks_the_resource() -> None:
    """Nobody is sent what one has rejected, so everybody else lacks it for the same reason."""
    snapshot = build.snapshot(build.cluster("a"))
    guilty = rejecting(snapshot)
    other = delta(snapshot, quarantine=guilty.quarantine)
    other.ask(CLUSTER, node=Node("envoy-2"))
    other.settle()

    first, second = report(guilty, other)

    assert (first.types[0].rejected, ProxyState.REJECTED) == (second.types[0].rejected, second.state)


def test_proxy_that_holds_what_another_rejected_is_synced() -> None:
    """Content that it has stays, whatever another version of Envoy thinks of it."""
    snapshot = build.snapshot(build.cluster("a"))
    guilty = rejecting(snapshot)
    content = delta(snapshot, quarantine=guilty.quarantine)
    content.ask(CLUSTER, node=Node("envoy-2"), initial_versions={"a": snapshot.table(CLUSTER)["a"].version})
    content.settle()

    assert [proxy.state for proxy in report(guilty, content)] == [ProxyState.REJECTED, ProxyState.SYNCED]


def test_rejection_is_told_of_those_who_subscribe_to_the_name() -> None:
    """Who waits for one name does not lack another, whatever was rejected of the type."""
    snapshot = build.snapshot(build.cluster("a"), build.cluster("b"))
    guilty = delta(snapshot)
    guilty.ask(CLUSTER, ["a"])
    guilty.nack(guilty.next(), reason="no such filter")
    guilty.settle()
    other = delta(snapshot, quarantine=guilty.quarantine)
    other.ask(CLUSTER, ["b"], node=Node("envoy-2"))
    waiting = report(other)[0].types[0]
    other.ask(CLUSTER, ["a"])
    other.settle()
    lacking = report(other)[0].types[0]

    assert (waiting.state, waiting.behind, waiting.rejected) == (ProxyState.STALE, 1, ())
    assert [rejected.name for rejected in lacking.rejected] == ["a"]


def test_rejection_ends_with_the_subscription() -> None:
    """What a client rejected and no longer asks for is not missing."""
    snapshot = build.snapshot(build.cluster("a"), build.cluster("b"))
    client = delta(snapshot)
    client.ask(CLUSTER, ["a", "b"])
    client.settle()
    client.offer(snapshot.updated([build.cluster("a", "bad")]))
    client.nack(client.next(), reason="no such filter")
    client.settle()
    before = report(client)[0].state
    client.ask(CLUSTER, unsubscribe=("a",))

    assert (before, report(client)[0].state) == (ProxyState.REJECTED, ProxyState.SYNCED)


def test_removal_of_what_was_rejected_ends_the_rejection() -> None:
    """What nobody wants any more is not missed."""
    snapshot = build.snapshot(build.cluster("a"))
    client = rejecting(snapshot)
    removed = snapshot.updated([], [ResourceName(CLUSTER, "a")])
    client.offer(removed)
    client.settle()

    (proxy,) = report(client)

    assert (proxy.state, proxy.types[0].rejected) == (ProxyState.SYNCED, ())


def test_mended_content_is_stale_until_it_is_acknowledged() -> None:
    """The rejection of the old content says nothing of the new."""
    snapshot = build.snapshot(build.cluster("a"))
    client = rejecting(snapshot)
    mended = snapshot.updated([build.cluster("a", "2")])
    client.offer(mended)
    before = report(client)[0].state
    client.settle()

    assert (before, report(client)[0].state) == (ProxyState.STALE, ProxyState.SYNCED)


def test_proxies_are_sorted_and_strangers_left_out() -> None:
    """By node id, then by when they connected; a stream that has not said who it is is nobody yet."""
    snapshot = build.snapshot()
    clients = [delta(snapshot, peer=f"peer-{number}") for number in range(3)]
    clients[0].ask(CLUSTER, node=Node("b"))
    clients[1].ask(CLUSTER, node=Node("a"))

    assert [proxy.node_id for proxy in report(*clients)] == ["a", "b"]
