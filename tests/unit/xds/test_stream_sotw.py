"""The state-of-the-world variant, rule by rule; S and W numbers are those of the xDS checklist."""

from __future__ import annotations

import pytest
from unit.xds.client import build, delta, sotw

from controlplane.model.resource import CLUSTER, ENDPOINTS, EXTENSION_CONFIG, LISTENER, ROUTE, ResourceName
from controlplane.xds.event import Stale


def test_w1_stale_nonce_is_ignored() -> None:
    """W1: a request that answers an older response is dropped whole; the answer to the newer one repeats its names."""
    client = sotw(build.snapshot(build.endpoints("a"), build.endpoints("b")))
    client.ask(ENDPOINTS, ["a"])
    first = client.next()

    client.ask(ENDPOINTS, ["a", "b"], nonce="")

    assert (len(client.events(Stale)), client.next()) == (1, None)

    client.ack(first, ["a", "b"])

    assert client.next().resources == {"b": b"b=1"}


def test_w1_requests_before_any_response_count() -> None:
    """W1: until there was a response, an empty nonce is the right one."""
    client = sotw(build.snapshot(build.endpoints("a"), build.endpoints("b")))
    client.ask(ENDPOINTS, ["a"])
    client.ask(ENDPOINTS, ["a", "b"])

    assert client.next().resources == {"a": b"a=1", "b": b"b=1"}


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER])
def test_w4_whole_world_types_carry_everything(type_url: str) -> None:
    """W4: a change of one resource sends all of its type, because what is absent is deleted."""
    client = sotw(build.snapshot(build.of(type_url, "a"), build.of(type_url, "b")))
    client.ask(type_url)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.of(type_url, "b", "2")]))

    assert [answer.resources for answer in client.settle()] == [{"a": b"a=1", "b": b"b=2"}]


def test_w4_absence_removes() -> None:
    """W4: a removed resource is missing from the next response; the last one leaves it empty."""
    client = sotw(build.snapshot(build.of(LISTENER, "a"), build.of(LISTENER, "b")))
    client.ask(LISTENER)
    client.settle()
    worlds = []
    for name in ("a", "b"):
        client.offer(client.stream.snapshot.updated([], [ResourceName(LISTENER, name)]))
        worlds += [answer.resources for answer in client.settle()]

    assert worlds == [{"b": b"b=1"}, {}]


def test_w4_other_types_carry_what_changed() -> None:
    """W4: endpoints that did not change are not repeated, and one that is gone says nothing."""
    client = sotw(build.snapshot(build.endpoints("a"), build.endpoints("b"), build.endpoints("c")))
    client.ask(ENDPOINTS, ["a", "b", "c"])
    client.settle(lambda _: ["a", "b", "c"])
    client.offer(client.stream.snapshot.updated([build.endpoints("b", "2")], [ResourceName(ENDPOINTS, "c")]))

    assert [answer.resources for answer in client.settle(lambda _: ["a", "b", "c"])] == [{"b": b"b=2"}]


def test_w4_explicit_names_of_a_whole_world_type_carry_all_of_them() -> None:
    """W4: the world of a client that names its listeners is those it names."""
    client = sotw(build.snapshot(*(build.of(LISTENER, name) for name in "abc")))
    client.ask(LISTENER, ["a"])
    client.settle(lambda _: ["a"])

    client.ask(LISTENER, ["a", "b"], nonce="1")

    assert client.next().resources == {"a": b"a=1", "b": b"b=1"}


def test_w5_names_added_are_answered() -> None:
    """W5: a new name is answered though nothing changed, and so is one that was given up and is asked for again."""
    client = sotw(build.snapshot(build.endpoints("a"), build.endpoints("b")))
    client.ask(ENDPOINTS, ["a"])
    first = client.next()
    client.ack(first, ["a"])

    client.ask(ENDPOINTS, ["a", "b"], nonce=first.nonce)
    second = client.next()
    client.ack(second, ["b"])
    client.ask(ENDPOINTS, ["a", "b"], nonce=second.nonce)

    assert (second.resources, client.next().resources) == ({"b": b"b=1"}, {"a": b"a=1"})


def test_w6_no_names_at_first_are_everything() -> None:
    """W6: for whole-world types only; others have asked for nothing yet."""
    client = sotw(build.snapshot(build.cluster("a"), build.endpoints("a")))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS)

    assert [(answer.type_url, answer.resources) for answer in client.settle()] == [(CLUSTER, {"a": b"a=1"})]


def test_w6_no_names_after_names_are_nothing() -> None:
    """W6: once a name was given, an empty list gives up all."""
    client = sotw(build.snapshot(build.cluster("a"), build.cluster("b")))
    client.ask(CLUSTER, ["a"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))

    assert client.next() is None


def test_w6_names_end_a_legacy_wildcard() -> None:
    """W6: naming resources after asking for everything asks for those alone."""
    client = sotw(build.snapshot(build.cluster("a"), build.cluster("b")))
    client.ask(CLUSTER)
    client.settle(lambda _: ["a"])
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2"), build.cluster("b", "2")]))

    assert client.next().resources == {"a": b"a=2"}


def test_w6_star_mixes_with_names() -> None:
    """W6: an explicit wildcard stays one beside names, and ends when it is left out."""
    client = sotw(build.snapshot(build.cluster("a"), build.cluster("b")))
    client.ask(CLUSTER, ["*", "a"])
    first = client.next()
    client.ack(first, ["a"])
    client.settle(lambda _: ["a"])
    client.offer(client.stream.snapshot.updated([build.cluster("b", "2")]))

    assert first.resources == {"a": b"a=1", "b": b"b=1"}
    assert client.next() is None


def test_w7_known_version_of_a_wildcard_is_not_sent_again() -> None:
    """W7: the version of a whole type is its content, the same on every replica, so a client may come back with it."""
    resources = [build.cluster("a"), build.cluster("b")]
    one, other = sotw(build.snapshot(*resources)), sotw(build.snapshot(*reversed(resources)))
    one.ask(CLUSTER)
    version = one.next().version

    other.ask(CLUSTER, version=version)

    assert other.next() is None

    other.offer(other.stream.snapshot.updated([build.cluster("b", "2")]))

    assert other.next().resources == {"a": b"a=1", "b": b"b=2"}


@pytest.mark.parametrize(("names", "version"), [(["a"], ""), ([], "other")])
def test_w7_otherwise_everything_is_sent(names: list[str], version: str) -> None:
    """W7: with explicit names, or another version, a client that comes back is answered in full."""
    snapshot = build.snapshot(build.cluster("a"))
    first = sotw(snapshot)
    first.ask(CLUSTER)
    client = sotw(snapshot)

    client.ask(CLUSTER, names, version=version or first.next().version)

    assert client.next().resources == {"a": b"a=1"}


@pytest.mark.parametrize("type_url", [ENDPOINTS, ROUTE, EXTENSION_CONFIG])
def test_w8_missing_names_wait_in_silence(type_url: str) -> None:
    """W8: nothing can be said about a missing name; when it is created it is sent."""
    client = sotw(build.snapshot())
    client.ask(type_url, ["late"])

    assert client.next() is None

    client.offer(client.stream.snapshot.updated([build.of(type_url, "late")]))

    assert client.next().resources == {"late": b"late=1"}


def test_w9_acknowledgement_gets_no_response() -> None:
    """W9: there are never more responses than reasons for them."""
    client = sotw(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)

    assert len(client.settle()) == 1


def test_d9_first_wildcard_request_is_answered_when_empty() -> None:
    """D9 holds here too: Envoy asks for listeners only after an answer about clusters."""
    client = sotw(build.snapshot())
    client.ask(CLUSTER)

    assert [(answer.type_url, answer.resources) for answer in client.settle()] == [(CLUSTER, {})]


def test_d12_changed_cluster_is_followed_by_its_endpoints() -> None:
    """D12 holds here too."""
    client = sotw(build.snapshot(build.cluster("a"), build.endpoints("a")))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a"])
    client.settle(lambda type_url: ["a"] if type_url == ENDPOINTS else [])
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2")]))

    assert [(answer.type_url, answer.resources) for answer in client.all()] == [
        (CLUSTER, {"a": b"a=2"}),
        (ENDPOINTS, {"a": b"a=1"}),
    ]


def test_versions_differ_when_the_world_does() -> None:
    """A world that lacks what was rejected has not the version of the whole."""
    good, mixed = sotw(build.snapshot(build.cluster("a"))), sotw(build.snapshot(build.cluster("a"), build.cluster("b")))
    good.ask(CLUSTER)
    mixed.ask(CLUSTER)
    whole = mixed.next()
    mixed.nack(whole, reason="cluster b")
    part = mixed.next()

    assert part.resources == {"a": b"a=1"}
    assert (part.version != whole.version, part.version == good.next().version) == (True, True)


def test_s1_both_variants_tell_the_same() -> None:
    """S1: one core: the same asking gives the same resources in both variants."""
    snapshot = build.snapshot(build.cluster("a"), build.endpoints("a"), build.of(LISTENER, "l"))
    told = []
    for open_stream in (delta, sotw):
        client = open_stream(snapshot)
        client.ask(CLUSTER)
        client.ask(ENDPOINTS, ["a"])
        client.ask(LISTENER)
        told.append([answer.content for answer in client.all()])

    assert told[0] == told[1]
