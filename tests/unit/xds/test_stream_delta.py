"""The delta variant, rule by rule; S, D and M numbers are those of the xDS checklist."""

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
    ResourceName,
)
from controlplane.xds.event import Stale


def test_d1_matching_initial_versions_send_nothing() -> None:
    """D1: a client that comes back with everything gets nothing again, but is answered (Envoy waits for it)."""
    snapshot = build.snapshot(*(build.cluster(f"c{number}") for number in range(20)))
    versions = {name: resource.version for name, resource in snapshot.table(CLUSTER).items()}
    client = delta(snapshot)

    client.ask(CLUSTER, initial_versions=versions)

    assert [answer.content for answer in client.settle()] == [(CLUSTER, {}, [])]


def test_d1_only_differences_to_initial_versions_are_sent() -> None:
    """D1: another version is sent, a missing one too, and what no longer exists is removed."""
    snapshot = build.snapshot(build.of(LISTENER, "same"), build.of(LISTENER, "other"), build.of(LISTENER, "new"))
    versions = {"same": snapshot.table(LISTENER)["same"].version, "other": "old", "gone": "old"}
    client = delta(snapshot)

    client.ask(LISTENER, initial_versions=versions)

    assert [answer.content for answer in client.settle()] == [
        (LISTENER, {"other": b"other=1", "new": b"new=1"}, ["gone"])
    ]


def test_d1_holds_for_names_subscribed_to() -> None:
    """D1: an explicit subscription with a matching version is not answered again."""
    snapshot = build.snapshot(build.endpoints("a"), build.endpoints("b"))
    client = delta(snapshot)

    client.ask(ENDPOINTS, ["a", "b"], initial_versions={"a": snapshot.table(ENDPOINTS)["a"].version})

    assert [answer.resources for answer in client.settle()] == [{"b": b"b=1"}]


def test_d1_counts_on_the_first_request_only() -> None:
    """D1: later claims are no part of the protocol and change nothing."""
    snapshot = build.snapshot(build.endpoints("a"), build.endpoints("b"))
    client = delta(snapshot)
    client.ask(ENDPOINTS, ["a"])
    client.settle()

    client.ask(ENDPOINTS, ["b"], initial_versions={"b": snapshot.table(ENDPOINTS)["b"].version})

    assert client.next().resources == {"b": b"b=1"}


def test_d2_every_subscription_is_answered() -> None:
    """D2: a client that subscribes again may have lost the resource, so it is sent again."""
    client = delta(build.snapshot(build.endpoints("a")))
    client.ask(ENDPOINTS, ["a"])
    client.settle()

    client.ask(ENDPOINTS, ["a"])

    assert client.next().resources == {"a": b"a=1"}


def test_d3_missing_name_is_answered_as_removed() -> None:
    """D3: a cluster whose load assignment does not exist ends its warming at once."""
    client = delta(build.snapshot())

    client.ask(ENDPOINTS, ["nobody"])

    assert [answer.content for answer in client.settle()] == [(ENDPOINTS, {}, ["nobody"])]


@pytest.mark.parametrize("type_url", [ROUTE, EXTENSION_CONFIG])
def test_d3_missing_route_is_not_answered(type_url: str) -> None:
    """D3: told that its route configuration does not exist, Envoy hangs; so silence, and the route when it comes."""
    client = delta(build.snapshot())
    client.ask(type_url, ["r"])

    assert client.next() is None

    client.offer(client.stream.snapshot.updated([build.of(type_url, "r")]))

    assert client.next().resources == {"r": b"r=1"}


def test_d4_missing_name_is_sent_when_created() -> None:
    """D4: a name answered as removed stays subscribed."""
    client = delta(build.snapshot())
    client.ask(ENDPOINTS, ["late"])
    client.settle()

    client.offer(client.stream.snapshot.updated([build.endpoints("late"), build.endpoints("other")]))

    assert [answer.resources for answer in client.settle()] == [{"late": b"late=1"}]


def test_d5_stale_nonce_still_subscribes() -> None:
    """D5: a request that answers an older response is no ACK, but its subscriptions count."""
    client = delta(build.snapshot(build.endpoints("a"), build.endpoints("b"), build.endpoints("c")))
    client.ask(ENDPOINTS, ["a", "c"])
    first = client.next()

    client.ask(ENDPOINTS, ["b"], unsubscribe=("c",), nonce="0")

    assert (len(client.events(Stale)), client.next()) == (1, None)

    client.ack(first)

    assert [answer.resources for answer in client.settle()] == [{"b": b"b=1"}]


def test_d6_spontaneous_request_is_no_ack() -> None:
    """D6: without a nonce nothing is acknowledged, so the type stays in flight."""
    client = delta(build.snapshot(build.endpoints("a"), build.endpoints("b")))
    client.ask(ENDPOINTS, ["a"])
    client.next()

    client.ask(ENDPOINTS, ["b"])

    assert client.next() is None


def test_d6_nack_does_not_commit() -> None:
    """D6: what was rejected is not held, so the next content is sent even if only one name of the two changes."""
    client = delta(build.snapshot(build.endpoints("a")))
    client.ask(ENDPOINTS, ["a"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.endpoints("a", "bad")]))
    client.nack(client.next())

    assert client.next() is None

    client.offer(client.stream.snapshot.updated([build.endpoints("a", "good")]))

    assert [answer.resources for answer in client.settle()] == [{"a": b"a=good"}]


def test_d7_unsubscribing_needs_no_answer() -> None:
    """D7: names that were never subscribed to are ignored, and giving up a name is not answered."""
    client = delta(build.snapshot(build.endpoints("a")))
    client.ask(ENDPOINTS, ["a"])
    client.settle()

    client.ask(ENDPOINTS, unsubscribe=("a", "phantom"))
    client.offer(client.stream.snapshot.updated([build.endpoints("a", "2")]))

    assert client.next() is None


def test_d7_unsubscribing_a_name_under_a_wildcard_is_answered() -> None:
    """D7: the name is still covered by the wildcard, so the client is told what it is: content, or removed."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER, ["*", "a", "missing"])
    client.settle()

    client.ask(CLUSTER, unsubscribe=("a", "missing"))

    assert client.next().content == (CLUSTER, {"a": b"a=1"}, ["missing"])


@pytest.mark.parametrize("subscribe", [(), ("*",)])
def test_d8_wildcard_is_empty_or_a_star(subscribe: tuple[str, ...]) -> None:
    """D8: both ways of asking for everything get everything, now and later."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER, subscribe)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("b")]))

    assert client.next().resources == {"b": b"b=1"}


def test_d8_empty_subscription_of_other_types_is_nothing() -> None:
    """D8: no names mean everything only for the types that allow it."""
    client = delta(build.snapshot(build.endpoints("a")))

    client.ask(ENDPOINTS)

    assert client.next() is None


def test_d8_name_after_a_legacy_wildcard_keeps_the_wildcard() -> None:
    """D8: subscribing to a name does not narrow an earlier empty subscription."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.settle()
    client.ask(CLUSTER, ["a"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("b")]))

    assert client.next().resources == {"b": b"b=1"}


def test_d8_unsubscribing_the_star_keeps_names() -> None:
    """D8: explicit names outlive the wildcard; the others are heard of no more."""
    client = delta(build.snapshot(build.cluster("a"), build.cluster("b")))
    client.ask(CLUSTER, ["*", "a"])
    client.settle()
    client.ask(CLUSTER, unsubscribe=("*",))
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2"), build.cluster("b", "2")]))

    assert [answer.resources for answer in client.settle()] == [{"a": b"a=2"}]


def test_d8_second_empty_request_is_no_wildcard() -> None:
    """D8: only the first request of a type asks for everything by asking for nothing."""
    client = delta(build.snapshot(build.cluster("a"), build.cluster("b")))
    client.ask(CLUSTER, ["a"])
    client.settle()

    client.ask(CLUSTER)

    assert client.next() is None


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER, SCOPED_ROUTE])
def test_d9_first_wildcard_request_is_answered_when_empty(type_url: str) -> None:
    """D9: Envoy asks for listeners only after an answer about clusters, even an empty one."""
    client = delta(build.snapshot())

    client.ask(type_url)

    assert [(type_url, {}, [])] == [answer.content for answer in client.settle()]


def test_d10_no_name_is_twice_in_a_response() -> None:
    """D10: asked for twice, changed and forced at once, a name is sent once and never with its removal."""
    client = delta(build.snapshot(build.cluster("a"), build.endpoints("a")))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a", "a", "gone", "gone"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2"), build.endpoints("a", "2")]))
    client.ask(ENDPOINTS, ["a", "gone"])
    cluster, endpoints = client.all()

    assert cluster.content == (CLUSTER, {"a": b"a=2"}, [])
    assert endpoints.content == (ENDPOINTS, {"a": b"a=2"}, ["gone"])


def test_d12_changed_cluster_is_followed_by_its_endpoints() -> None:
    """D12: without its load assignment, unchanged as it is, a changed cluster warms for 15 seconds."""
    client = delta(build.snapshot(build.cluster("a"), build.endpoints("a"), build.cluster("b"), build.endpoints("b")))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a", "b"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))

    assert [answer.content for answer in client.all()] == [(CLUSTER, {"a": b"a=2"}, []), (ENDPOINTS, {"a": b"a=1"}, [])]


def test_d13_extension_config_is_never_removed() -> None:
    """D13: a filter's configuration is not taken from under a listener; the client drops it by itself."""
    client = delta(build.snapshot(build.of(EXTENSION_CONFIG, "f")))
    client.ask(EXTENSION_CONFIG, ["f"])
    client.settle()
    client.offer(client.stream.snapshot.updated([], [ResourceName(EXTENSION_CONFIG, "f")]))

    assert client.next() is None


def test_d15_large_worlds_are_split() -> None:
    """D15: 1,200 clusters come as three responses, each followed by the endpoints that belong to it."""
    names = [f"c{number}" for number in range(1200)]
    client = delta(build.snapshot(*map(build.cluster, names), *map(build.endpoints, names)))
    client.ask(CLUSTER)
    sizes = []
    while (answer := client.next()) is not None:
        sizes.append((answer.type_url == CLUSTER, len(answer.resources)))
        client.ack(answer)
        if answer.type_url == CLUSTER:
            client.ask(ENDPOINTS, answer.resources)

    assert [size for size in sizes if size[0]] == [(True, 500), (True, 500), (True, 200)]
    assert sum(size for is_cluster, size in sizes if not is_cluster) == 1200


def test_d15_responses_stay_below_four_mebibytes() -> None:
    """D15: a response is closed before it grows past gRPC's default limit; a single large resource goes alone."""
    client = delta(build.snapshot(*(build.of(CLUSTER, f"c{number}", "x" * 1_000_000) for number in range(7))))
    client.ask(CLUSTER)
    sizes = []
    while (response := client.stream.next_response(0.0)) is not None:
        sizes.append(len(response.encode()))
        client.ask(CLUSTER, nonce=response.nonce)

    assert (len(sizes), max(sizes) < 4 * 1024 * 1024) == (3, True)


def test_m7_one_changed_endpoint_is_one_resource() -> None:
    """M7: a change goes to those subscribed to it, and nothing else with it."""
    snapshot = build.snapshot(*(build.endpoints(name) for name in "abcdef"))
    one, other = delta(snapshot), delta(snapshot)
    one.ask(ENDPOINTS, ["a", "b"])
    other.ask(ENDPOINTS, ["c", "d"])
    one.settle()
    other.settle()
    changed = snapshot.updated([build.endpoints("b", "2")])
    one.offer(changed)
    other.offer(changed)

    assert [answer.resources for answer in one.settle()] == [{"b": b"b=2"}]
    assert other.settle() == []
