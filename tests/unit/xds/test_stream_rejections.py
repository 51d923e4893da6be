"""What happens after a NACK: the guilty are found and never sent again, everybody else goes on."""

from __future__ import annotations

import pytest
from unit.xds.client import Client, build, delta, sotw

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, ResourceName
from controlplane.xds.event import Nacked, Rejected


def drive(client: Client, bad: set[bytes], *, applies_good: bool = False) -> tuple[dict[str, bytes], int]:
    """Answers as an Envoy does that rejects some bodies; what it holds in the end, and how many responses that took.

    With `applies_good` a rejected response's good members are applied all the same (an object could not be created);
    without, they are lost with it (the message did not validate). Both kinds of rejection exist.
    """
    held: dict[str, bytes] = {}
    count = 0
    while (answer := client.next()) is not None:
        count += 1
        guilty = [name for name, body in answer.resources.items() if body in bad]
        if applies_good or not guilty:
            held.update((name, body) for name, body in answer.resources.items() if name not in guilty)
            for name in answer.removed:
                held.pop(name, None)
        if guilty:
            client.nack(answer, reason="a member does not hold")
        else:
            client.ack(answer)
    return held, count


def test_w2_presence_of_an_error_makes_a_nack() -> None:
    """W2: an error without a word is a rejection."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.nack(client.next(), reason="")

    assert [Nacked(CLUSTER, 1, "")] == client.events(Nacked)


@pytest.mark.parametrize("open_stream", [delta, sotw])
def test_w3_rejected_content_is_not_sent_again(open_stream: object) -> None:
    """W3: a NACK is not answered; otherwise server and client exchange thousands of them a second."""
    client = open_stream(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.nack(client.next())

    assert client.next() is None


@pytest.mark.parametrize("applies_good", [False, True])
@pytest.mark.parametrize("bad", [{"c3"}, {"c0", "c19"}, {"c5", "c6", "c7"}])
def test_f2_good_members_of_a_rejected_response_are_applied(bad: set[str], applies_good: bool) -> None:
    """F2: the response is halved until the guilty are alone; in the end all others are held, and they quarantined."""
    names = [f"c{number}" for number in range(20)]
    client = delta(build.snapshot(*map(build.cluster, names)))
    client.ask(CLUSTER)
    held, responses = drive(client, {f"{name}=1".encode() for name in bad}, applies_good=applies_good)

    assert set(names) - bad == set(held)
    assert bad == {rejection.key.name for rejection in client.quarantine}
    assert responses <= 2 * len(bad) * 5 + 1


def test_f2_rejection_is_reported_with_its_reason() -> None:
    """F2: the guilty resource, its version, the reason and the node are told, once."""
    snapshot = build.snapshot(build.cluster("a"), build.cluster("b"))
    client = delta(snapshot)
    client.ask(CLUSTER)
    drive(client, {b"b=1"})

    assert [
        Rejected(ResourceName(CLUSTER, "b"), snapshot.table(CLUSTER)["b"].version, "a member does not hold", "envoy-1")
    ] == client.events(Rejected)


def test_f2_members_named_in_the_reason_are_tried_apart() -> None:
    """F2: Envoy often names the guilty one, which saves the halving."""
    client = delta(build.snapshot(*(build.cluster(f"cluster-{letter}") for letter in "abcdefgh")))
    client.ask(CLUSTER)
    client.nack(client.next(), reason="Error adding/updating cluster(s) cluster-f: no such CA")

    good = client.next()
    client.ack(good)
    suspect = client.next()

    assert (len(good.resources), list(suspect.resources)) == (7, ["cluster-f"])


def test_f2_new_content_is_tried() -> None:
    """F2: the name is not banned, the content is."""
    client = delta(build.snapshot(build.cluster("a", "bad")))
    client.ask(CLUSTER)
    client.nack(client.next())
    client.offer(client.stream.snapshot.updated([build.cluster("a", "good")]))

    assert [answer.resources for answer in client.settle()] == [{"a": b"a=good"}]


def test_f2_rejected_content_stays_rejected_when_it_comes_back() -> None:
    """F2: going back to content known to be bad is not tried, because an ACK of it would prove nothing."""
    client = delta(build.snapshot(build.cluster("a", "good")))
    client.ask(CLUSTER)
    client.settle()
    for body in ("bad", "better", "bad"):
        client.offer(client.stream.snapshot.updated([build.cluster("a", body)]))
        drive(client, {b"a=bad"})

    assert client.next() is None
    assert client.stream._subscriptions[CLUSTER].held("a").body == b"a=better"


def test_f2_change_during_the_search_is_sent() -> None:
    """F2: while the guilty are searched for, new content of a suspect replaces it."""
    client = delta(build.snapshot(*(build.cluster(name) for name in "abcd")))
    client.ask(CLUSTER)
    client.nack(client.next())
    client.offer(client.stream.snapshot.updated([build.cluster("d", "mended")]))
    held, _ = drive(client, {b"d=1"})

    assert held == {"a": b"a=1", "b": b"b=1", "c": b"c=1", "d": b"d=mended"}
    assert len(client.quarantine) == 0


def test_f2_content_that_may_have_been_applied_is_removed() -> None:
    """F2: what a partly applied response left behind is removed, even after other content of the name was rejected."""
    client = delta(build.snapshot(build.of(LISTENER, "a", "bad"), build.of(LISTENER, "b")))
    client.ask(LISTENER)
    client.nack(client.next())
    client.offer(client.stream.snapshot.updated([build.of(LISTENER, "b", "bad")], [ResourceName(LISTENER, "a")]))
    removal = client.next()
    client.nack(removal)
    client.ack(client.next())
    client.offer(client.stream.snapshot.updated([], [ResourceName(LISTENER, "b")]))

    assert (LISTENER, {"b": b"b=bad"}, ["a"]) == removal.content
    assert [(LISTENER, {}, ["b"])] == [answer.content for answer in client.settle()]


def test_f2_other_streams_are_spared_known_bad_content() -> None:
    """F2: what one Envoy rejected is not tried on the next; it gets the last good content instead."""
    first = delta(build.snapshot(build.cluster("a", "good"), build.cluster("b")))
    first.ask(CLUSTER)
    first.settle()
    bad = first.stream.snapshot.updated([build.cluster("a", "bad")])
    first.offer(bad)
    first.nack(first.next())

    second = delta(bad, quarantine=first.quarantine)
    second.ask(CLUSTER)

    assert [answer.resources for answer in second.settle()] == [{"a": b"a=good", "b": b"b=1"}]


def test_f2_client_that_holds_rejected_content_keeps_it() -> None:
    """F2: an Envoy that acknowledged what another rejected is left alone."""
    snapshot = build.snapshot(build.cluster("a"))
    content = snapshot.table(CLUSTER)["a"]
    client = delta(snapshot)
    client.ask(CLUSTER)
    client.settle()
    client.quarantine.reject(content, "elsewhere", None)
    client.offer(snapshot.updated([build.cluster("b")]))

    assert [list(answer.resources) for answer in client.settle()] == [["b"]]


def test_f2_never_good_name_is_answered_as_missing() -> None:
    """F2: a client that asked by name for what never worked is told that it does not exist, and stops waiting."""
    client = delta(build.snapshot(build.endpoints("a", "bad")))
    client.ask(ENDPOINTS, ["a"])
    client.nack(client.next())

    assert [answer.content for answer in client.settle()] == [(ENDPOINTS, {}, ["a"])]


def test_f2_never_good_wildcard_member_is_absent() -> None:
    """F2: under a wildcard nothing needs to be said about it."""
    client = delta(build.snapshot(build.of(LISTENER, "bad"), build.of(LISTENER, "good")))
    client.ask(LISTENER)
    held, _ = drive(client, {b"bad=1"})

    assert (held, client.next()) == ({"good": b"good=1"}, None)


def test_f2_rejected_removal_is_not_repeated() -> None:
    """F2: a client that refuses to let go (a validator of minimum sizes) is not asked again and again."""
    client = delta(build.snapshot(build.of(LISTENER, "a")))
    client.ask(LISTENER)
    client.settle()
    client.offer(client.stream.snapshot.updated([], [ResourceName(LISTENER, "a")]))
    client.nack(client.next())

    assert (client.next(), len(client.quarantine)) == (None, 0)


def test_f2_removal_in_a_rejected_response_is_sent_apart() -> None:
    """F2: a removal that shared its response with a guilty resource still happens."""
    client = delta(build.snapshot(build.of(SCOPED_ROUTE, "gone")))
    client.ask(SCOPED_ROUTE)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.of(SCOPED_ROUTE, "bad")], [ResourceName(SCOPED_ROUTE, "gone")]))
    client.nack(client.next())

    assert [answer.content for answer in client.settle()] == [(SCOPED_ROUTE, {}, ["gone"])]


def test_sotw_rejection_keeps_the_last_good_in_the_world() -> None:
    """F2 in state of the world: the rejected cluster stays in every response as the client last accepted it."""
    client = sotw(build.snapshot(build.cluster("a", "good"), build.cluster("b")))
    client.ask(CLUSTER)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "bad"), build.cluster("b", "2")]))
    worlds = []
    while (answer := client.next()) is not None:
        worlds.append(answer.resources)
        if answer.resources["a"] == b"a=bad":
            client.nack(answer)
        else:
            client.ack(answer)

    assert {"a": b"a=good", "b": b"b=2"} in worlds
    assert [rejection.key.name for rejection in client.quarantine] == ["a"]


def test_status_tells_rejections_until_they_are_mended() -> None:
    """The status of a stream names what it rejected, with the reason, until other content was accepted."""
    client = delta(build.snapshot(build.cluster("a", "bad")))
    client.ask(CLUSTER)
    client.nack(client.next(), reason="no such CA")
    before = client.stream.status().types[0]
    client.offer(client.stream.snapshot.updated([build.cluster("a", "good")]))
    client.settle()
    after = client.stream.status().types[0]

    assert (
        before.error,
        [(rejected.name, rejected.reason) for rejected in before.rejected],
        before.behind,
    ) == ("no such CA", [("a", "no such CA")], 1)
    assert (after.error, after.rejected, after.behind) == ("", (), 0)
