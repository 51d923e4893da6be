"""What waits for a cluster, and what a rejection means while the client lacked one."""

from __future__ import annotations

import pytest
from unit.xds.client import Client, build, delta, in_step, scope, sotw, told

from controlplane.model.resource import CLUSTER, SCOPED_ROUTE, ResourceName
from controlplane.xds.event import Nacked, Rejected


@pytest.mark.parametrize("open_stream", [delta, sotw])
def test_a_cluster_waits_for_the_cluster_it_refers_to(open_stream: object) -> None:
    """A cluster of ours that fetches a secret is acknowledged before those are sent that need the same secret."""
    first = ResourceName(CLUSTER, "first")
    client: Client = open_stream(
        build.snapshot(build.of(CLUSTER, "b", references=[first]), build.of(CLUSTER, "first"), build.of(CLUSTER, "c"))
    )
    client.ask(CLUSTER)
    answer = client.next()
    waiting = client.next()
    client.ack(answer)
    after = client.next()

    assert (["c", "first"], None) == (sorted(answer.resources), waiting)
    assert "b" in after.resources


def test_a_cluster_goes_without_the_one_it_refers_to_when_that_is_rejected() -> None:
    """Such a reference is for order alone."""
    first = ResourceName(CLUSTER, "first")
    client = delta(build.snapshot(build.of(CLUSTER, "first"), build.of(CLUSTER, "b", references=[first])))
    client.ask(CLUSTER)
    client.nack(client.next())

    assert told(client.all()) == [(CLUSTER, ["b"], [])]


def test_a_cluster_does_not_wait_for_one_that_does_not_exist() -> None:
    """What the snapshot does not hold is not on its way."""
    missing = ResourceName(CLUSTER, "missing")
    client = delta(build.snapshot(build.of(CLUSTER, "b", references=[missing])))
    client.ask(CLUSTER)

    assert told(client.all()) == [(CLUSTER, ["b"], [])]


def test_what_was_rejected_for_want_of_a_cluster_is_not_guilty() -> None:
    """A route that went at the limit, before its cluster, may be rejected for that; it is sent again after it."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("s", "b")]))
    cluster, waiting = client.next(), client.next()
    client.now = 105.0
    client.nack(client.next(), reason="unknown cluster 'b'")
    meanwhile = client.next()
    events = client.stream.events()
    client.ack(cluster)

    assert (waiting, meanwhile) == (None, None)
    assert [Nacked(SCOPED_ROUTE, 1, "unknown cluster 'b'")] == [
        event for event in events if isinstance(event, Nacked | Rejected)
    ]
    assert told(client.settle()) == [(SCOPED_ROUTE, ["s"], [])]


def test_what_is_rejected_beside_its_cluster_is_guilty() -> None:
    """With the cluster acknowledged there is no excuse: the content is quarantined."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("s", "b")]))
    client.ack(client.next())
    client.nack(client.next())

    assert [event.key.name for event in client.events(Rejected)] == ["s"]
    assert client.next() is None
