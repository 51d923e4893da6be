"""What holds for every stream, shown on the delta variant; S and W numbers are those of the xDS checklist."""

from __future__ import annotations

import pytest
from unit.xds.client import build, delta

from controlplane.model.resource import (
    CLUSTER,
    ENDPOINTS,
    EXTENSION_CONFIG,
    LISTENER,
    ROUTE,
    SCOPED_ROUTE,
    SECRET,
    ResourceName,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Ignored, Refused
from controlplane.xds.request import Node


def test_s2_aggregated_request_without_a_type_is_refused() -> None:
    """S2: on an aggregated stream nobody can guess the type."""
    client = delta(build.snapshot())

    client.ask("")

    assert len(client.events(Refused)) == 1


def test_s2_single_type_service_supplies_the_type() -> None:
    """S2: a request to a service for one type need not name it."""
    client = delta(build.snapshot(build.cluster("a")), only=CLUSTER)

    client.ask("", ["a"])

    assert client.next().content == (CLUSTER, {"a": b"a=1"}, [])


@pytest.mark.parametrize("only", ["", LISTENER])
def test_s2_unknown_type_is_ignored(only: str) -> None:
    """S2: asking for what is not served here does not end the stream."""
    client = delta(build.snapshot(build.of(LISTENER, "l")), only=only)

    client.ask("type.googleapis.com/unknown.Type", ["x"])
    client.ask(LISTENER)

    assert (
        [type(event).__name__ for event in client.stream.events()],
        client.next().resources,
    ) == (["Ignored"], {"l": b"l=1"})


@pytest.mark.parametrize("node", [None, "empty"])
def test_s3_first_request_needs_a_node_id(node: str | None) -> None:
    """S3: a stream whose first request does not say who it is, is refused."""
    client = delta(build.snapshot())

    client.ask(CLUSTER, node=Node("") if node else None)

    assert len(client.events(Refused)) == 1


def test_s3_node_is_that_of_the_first_request() -> None:
    """S3: Envoy sends its node once; a later one changes nothing."""
    client = delta(build.snapshot())
    client.ask(CLUSTER, node=Node("first"))
    client.ask(LISTENER, node=None)
    client.ask(ROUTE, node=Node("second"))

    assert (client.stream.node.id, client.events(Refused)) == ("first", [])


def test_s4_streams_of_one_node_share_nothing() -> None:
    """S4: after a hot restart two streams of the same node live; each has its own state."""
    snapshot = build.snapshot(build.cluster("a"))
    old, new = delta(snapshot), delta(snapshot)
    old.ask(CLUSTER)
    old.settle()

    new.ask(CLUSTER)

    assert new.next().resources == {"a": b"a=1"}


def test_s7_nonces_grow() -> None:
    """S7: every response of a stream, of whatever type, has a nonce of its own, greater than those before."""
    client = delta(build.snapshot(build.cluster("a"), build.of(LISTENER, "l")))
    client.ask(CLUSTER)
    client.ask(LISTENER)
    answers = client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))
    answers += client.settle()

    nonces = [int(answer.nonce) for answer in answers]

    assert (3, sorted(set(nonces))) == (len(nonces), nonces)


def test_s8_types_go_out_in_order() -> None:
    """S8: what is leaned on comes first, in whatever order the client asks."""
    types = [CLUSTER, ENDPOINTS, SECRET, EXTENSION_CONFIG, LISTENER, SCOPED_ROUTE, ROUTE]
    client = delta(build.snapshot(*(build.of(type_url, "x") for type_url in types)))
    for type_url in reversed(types):
        client.ask(type_url, ["x"])

    assert types == [answer.type_url for answer in client.all()]


def test_s9_one_response_a_type_is_in_flight() -> None:
    """S9: until the client answers, newer states of the type wait, and only the last of them is sent."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    first = client.next()
    for body in ("2", "3", "4"):
        client.offer(client.stream.snapshot.updated([build.cluster("a", body)]))

    assert client.next() is None

    client.ack(first)

    assert [answer.resources for answer in client.settle()] == [{"a": b"a=4"}]


def test_s9_other_types_do_not_wait_for_one_in_flight() -> None:
    """S9: endpoints change while a cluster is being warmed."""
    client = delta(build.snapshot(build.cluster("a"), build.endpoints("a")))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a"])

    assert [answer.type_url for answer in client.all()] == [CLUSTER, ENDPOINTS]


def test_change_back_while_in_flight_is_sent() -> None:
    """What is in flight counts as applied once acknowledged, so going back to the content before is a change."""
    client = delta(build.snapshot(build.cluster("a", "1")))
    client.ask(CLUSTER)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))
    second = client.next()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "1")]))
    client.ack(second)

    assert client.next().resources == {"a": b"a=1"}


def test_w9_acknowledgement_gets_no_response() -> None:
    """W9: a server that answers answers never ends."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.ack(client.next())

    assert client.next() is None


@pytest.mark.parametrize("compare", [False, True])
def test_offer_with_or_without_known_changes_is_the_same(compare: bool) -> None:
    """A stream too far behind to be told the changes finds them itself."""
    client = delta(build.snapshot(build.of(LISTENER, "a"), build.of(LISTENER, "b"), build.of(LISTENER, "c")))
    client.ask(LISTENER)
    client.settle()
    client.offer(
        client.stream.snapshot.updated(
            [build.of(LISTENER, "b", "2"), build.of(LISTENER, "d")], [ResourceName(LISTENER, "c")]
        ),
        compare=compare,
    )

    assert [answer.content for answer in client.settle()] == [(LISTENER, {"b": b"b=2", "d": b"d=1"}, ["c"])]


def test_stream_in_step_keeps_nothing_per_resource() -> None:
    """A thousand streams on a thousand clusters share one table: in step, a stream has no entry of its own."""
    client = delta(build.snapshot(*(build.cluster(f"c{number}") for number in range(1000))))
    client.ask(CLUSTER)
    client.settle()

    subscription = client.stream._subscriptions[CLUSTER]

    assert (len(subscription.behind), len(subscription.queue), len(subscription.names)) == (0, 0, 0)
    assert subscription.table is client.stream.snapshot.table(CLUSTER)


def test_offer_of_the_same_snapshot_changes_nothing() -> None:
    """Being offered what it has, a stream has nothing to say."""
    client = delta(Snapshot())
    client.ask(CLUSTER)
    client.settle()
    client.offer(client.stream.snapshot)

    assert (client.next(), client.stream.events()) == (None, [])


def test_unknown_type_is_told() -> None:
    """The type that was ignored is named for the log."""
    client = delta(build.snapshot())
    client.ask("type.googleapis.com/unknown.Type")

    assert [Ignored("type.googleapis.com/unknown.Type")] == client.events(Ignored)
