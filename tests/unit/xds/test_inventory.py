"""What is told of a client, resource by resource."""

from __future__ import annotations

from unit.xds.client import Client, build, delta, guarded, in_step, without

from controlplane.model.proxy import ProxyResource, ResourceState
from controlplane.model.resource import CLUSTER, ENDPOINTS, EXTENSION_CONFIG, ResourceName
from controlplane.xds.request import Node

SYNCED, STALE, NOT_SENT, REJECTED = (
    ResourceState.SYNCED,
    ResourceState.STALE,
    ResourceState.NOT_SENT,
    ResourceState.REJECTED,
)


def resources(client: Client, number: int = 0) -> list[ProxyResource]:
    """The resources of one of the client's types."""
    return list(client.stream.status().types[number].resources())


def states(client: Client, number: int = 0) -> list[tuple[str, ResourceState]]:
    """Their names and states."""
    return [(resource.name, resource.state) for resource in resources(client, number)]


def version(client: Client, name: str) -> str:
    """The version that a cluster shall have."""
    return client.stream.snapshot.table(CLUSTER)[name].version


def test_resource_that_was_acknowledged_is_synced() -> None:
    """What it holds is what it shall hold."""
    client = in_step(CLUSTER)
    held = version(client, "a")

    assert resources(client) == [ProxyResource("a", held, held, SYNCED)]


def test_resource_is_stale_from_its_change_to_its_acknowledgement() -> None:
    """Told are both versions, and it comes before what is in step, sent or not."""
    client = in_step(CLUSTER)
    client.offer(client.stream.snapshot.updated([build.cluster("b")]))
    client.settle()
    before = version(client, "b")
    client.offer(client.stream.snapshot.updated([build.cluster("b", "2")]))
    changed = resources(client)
    client.next()
    sent = resources(client)

    assert changed[0] == ProxyResource("b", before, version(client, "b"), STALE)
    assert sent == changed
    assert sent[1].state is SYNCED


def test_resource_is_not_sent_until_it_is() -> None:
    """A name that nothing is held of is stale once something is on its way."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    before = states(client)
    client.next()

    assert (before, states(client)) == ([("a", NOT_SENT)], [("a", STALE)])


def test_name_that_does_not_exist_is_not_sent() -> None:
    """There is nothing to send under it, whether the client has been told so or not; it is no step behind."""
    client = delta(build.snapshot(build.endpoints("a")))
    client.ask(ENDPOINTS, ["nowhere", "a"])
    client.settle()

    assert states(client) == [("a", SYNCED), ("nowhere", NOT_SENT)]


def test_wildcard_tells_names_that_do_not_exist_as_well() -> None:
    """A client may ask for everything and for a name besides."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER, ["*", "a", "nowhere"])
    client.settle()

    assert states(client) == [("a", SYNCED), ("nowhere", NOT_SENT)]


def test_resource_that_shall_go_is_stale() -> None:
    """It is held still, and nothing is wanted."""
    client = in_step(CLUSTER)
    held = version(client, "a")
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, "a")]))

    assert resources(client) == [ProxyResource("a", held, "", STALE)]


def test_own_rejection_is_told_with_reason_and_time() -> None:
    """What was good before is what it holds."""
    client = in_step(CLUSTER)
    good = version(client, "a")
    client.offer(client.stream.snapshot.updated([build.cluster("a", "bad")]))
    client.now = 107.0
    client.nack(client.next(), reason="no such CA")
    client.settle()

    assert resources(client) == [ProxyResource("a", good, version(client, "a"), REJECTED, "no such CA", 107.0)]


def test_rejection_by_another_is_told_without_a_time() -> None:
    """This client was not asked."""
    snapshot = build.snapshot(build.cluster("a", "bad"))
    guilty = delta(snapshot)
    guilty.ask(CLUSTER)
    guilty.nack(guilty.next(), reason="no such CA")
    other = delta(snapshot, quarantine=guilty.quarantine)
    other.ask(CLUSTER, node=Node("envoy-2"))
    other.settle()

    assert resources(other) == [ProxyResource("a", "", version(other, "a"), REJECTED, "no such CA")]


def test_claimed_version_is_what_is_held() -> None:
    """A client that came back is believed."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER, initial_versions={"a": "old"})

    assert resources(client) == [ProxyResource("a", "old", version(client, "a"), STALE)]


def test_withheld_removals_are_counted_by_type() -> None:
    """They are behind, and the reason is that somebody has to confirm them."""
    client = guarded()
    client.offer(without(client.stream.snapshot, "c0", "c1", "c2", "c3"))
    before = [kind.withheld for kind in client.stream.status().types]
    client.settle()
    types = client.stream.status().types

    assert before == [0, 0]
    assert [(kind.withheld, kind.behind, kind.total) for kind in types] == [(4, 4, 10), (4, 4, 10)]


def test_types_that_are_never_removed_withhold_nothing() -> None:
    """A filter configuration stays for another reason, which nobody can confirm."""
    client = guarded()
    client.offer(client.stream.snapshot.updated([build.of(EXTENSION_CONFIG, "lua")]))
    client.ask(EXTENSION_CONFIG, ["lua"])
    client.settle()
    client.offer(without(client.stream.snapshot, *(f"c{number}" for number in range(10))))
    client.offer(client.stream.snapshot.updated([], [ResourceName(EXTENSION_CONFIG, "lua")]))
    client.settle()

    assert [kind.withheld for kind in client.stream.status().types] == [10, 0, 10]
    assert len(client.stream.withheld("")) == 2
