"""Make before break: what waits for what, and for how long."""

from __future__ import annotations

import pytest
from unit.xds.client import build, delta, in_step, scope, told

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.xds.event import Converged


def test_m1_added_api_goes_out_cluster_first() -> None:
    """M1: a new registration is cluster, endpoints, then the route once the cluster was acknowledged."""
    client = in_step(CLUSTER, ENDPOINTS, SCOPED_ROUTE)
    client.offer(client.stream.snapshot.updated([build.cluster("b"), build.endpoints("b"), scope("s", "b")]))
    cluster = client.next()
    waiting = client.next()
    client.ask(ENDPOINTS, ["b"])
    endpoints = client.next()
    client.ack(endpoints)
    still_waiting = client.next()
    client.ack(cluster)
    route = client.next()

    assert told([cluster, endpoints, route]) == [
        (CLUSTER, ["b"], []),
        (ENDPOINTS, ["b"], []),
        (SCOPED_ROUTE, ["s"], []),
    ]
    assert (waiting, still_waiting) == (None, None)


@pytest.mark.parametrize("type_url", [SCOPED_ROUTE, ROUTE, LISTENER])
def test_m3_only_the_route_to_the_new_cluster_waits(type_url: str) -> None:
    """M3: a route to a cluster that was not acknowledged is held, the others of the same change go at once."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(CLUSTER)
    client.settle()
    client.ask(type_url, ["r", "s"])
    client.settle()
    client.offer(
        client.stream.snapshot.updated(
            [
                build.cluster("b"),
                build.route("r", "a", type_url=type_url),
                build.route("s", "b", type_url=type_url),
            ]
        )
    )

    assert [(CLUSTER, ["b"], []), (type_url, ["r"], [])] == told(client.all())


def test_m3_changed_cluster_does_not_hold_its_route() -> None:
    """M3: Envoy serves with a cluster's old content while the new is warmed, so its routes need not wait."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("a", "2"), scope("r", "a", body="2")]))

    assert [answer.type_url for answer in client.all()] == [CLUSTER, SCOPED_ROUTE]


def test_m3_wait_for_a_cluster_has_a_limit() -> None:
    """M3: a cluster that is never acknowledged holds its route for five seconds, no longer."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("s", "b")]))
    client.next()
    before = client.next()
    deadline = client.stream.deadline()
    client.now = 104.999
    almost = client.next()
    client.now = 105.0

    assert (before, deadline, almost) == (None, 105.0, None)
    assert told(client.all()) == [(SCOPED_ROUTE, ["s"], [])]
    assert client.stream.deadline() is None


def test_m3_wait_counts_from_the_last_answer_about_clusters() -> None:
    """M3: a client that is at work on its clusters gets the time for it, however many a route waits behind."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("s", "b", "missing")]))
    cluster = client.next()
    client.next()
    client.now = 103.0
    client.ack(cluster)

    assert (client.next(), client.stream.deadline()) == (None, 108.0)


def test_m3_route_to_a_rejected_cluster_is_held_back() -> None:
    """M3: the good route stays while its successor's cluster is rejected, whatever time passes; others go on."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("bad"), scope("r", "bad"), scope("other", "a")]))
    cluster, other = client.next(), client.next()
    client.nack(cluster)
    client.ack(other)
    client.now = 1000.0

    assert told([cluster, other]) == [(CLUSTER, ["bad"], []), (SCOPED_ROUTE, ["other"], [])]
    assert (client.next(), client.stream.deadline()) == (None, None)

    client.offer(client.stream.snapshot.updated([build.cluster("bad", "good")]))

    assert told(client.settle()) == [(CLUSTER, ["bad"], []), (SCOPED_ROUTE, ["r"], [])]


def test_m3_stream_without_clusters_holds_no_route() -> None:
    """M3: on a service for routes alone there are no acknowledgements of clusters to wait for."""
    client = delta(build.snapshot(scope("r", "a")), only=SCOPED_ROUTE)
    client.ask(SCOPED_ROUTE)

    assert told(client.all()) == [(SCOPED_ROUTE, ["r"], [])]


def test_m3_known_clusters_from_before_the_stream_hold_no_route() -> None:
    """M3: a client that comes back with its clusters has them warm."""
    snapshot = build.snapshot(build.cluster("a"))
    client = delta(snapshot.updated([build.cluster("a", "2"), scope("r", "a")]))
    client.ask(CLUSTER, initial_versions={"a": snapshot.table(CLUSTER)["a"].version})
    client.ask(SCOPED_ROUTE)

    assert [answer.type_url for answer in client.all()] == [CLUSTER, SCOPED_ROUTE]


def test_secrets_go_one_a_response() -> None:
    """The guilty secret of a rejected response could not be found, so there is never more than one."""
    client = delta(build.snapshot(build.of(SECRET, "a"), build.of(SECRET, "b")))
    client.ask(SECRET, ["a", "b"])

    assert told(client.settle()) == [(SECRET, ["a"], []), (SECRET, ["b"], [])]


def test_convergence_is_told_once_everything_is_acknowledged() -> None:
    """From the first change that the client had not, to its last acknowledgement, over any number of generations."""
    client = in_step()
    client.stream.events()
    client.now = 110.0
    client.offer(client.stream.snapshot.updated([build.cluster("b")]))
    answer = client.next()
    client.now = 110.5
    client.offer(client.stream.snapshot.updated([build.cluster("b", "2")]))
    client.ack(answer)
    answer = client.next()
    early = client.events(Converged)
    client.now = 111.25
    client.ack(answer)
    client.next()

    assert ([], [Converged(3, 1.25)]) == (early, client.events(Converged))


@pytest.mark.parametrize("in_time", [True, False])
def test_m3_wait_of_content_that_went_away_is_forgotten(in_time: bool) -> None:
    """M3: a route that waited, was given up and comes back waits anew, whether or not anybody looked in between."""
    client = in_step()
    without = client.stream.snapshot
    client.offer(without.updated([scope("s", "missing")]))
    client.next()
    client.offer(client.stream.snapshot.updated([], [ResourceName(SCOPED_ROUTE, "s")]))
    if in_time:
        client.next()
    client.now = 200.0
    client.offer(client.stream.snapshot.updated([scope("s", "missing")]))

    assert (None, 205.0) == (client.next(), client.stream.deadline())


def test_m3_wait_of_a_name_given_up_is_forgotten() -> None:
    """M3: a route that the client gave up while it waited is not looked at in time, and waits anew when asked for."""
    client = delta(build.snapshot(build.route("r", "missing")))
    client.ask(CLUSTER)
    client.ask(ROUTE, ["r"])
    client.settle()
    client.ask(ROUTE, unsubscribe=("r",))
    client.now = 105.0

    assert (None, None) == (client.next(), client.stream.deadline())

    client.ask(ROUTE, ["r"])

    assert (None, 110.0) == (client.next(), client.stream.deadline())


def test_m3_route_tried_again_waits_for_its_cluster() -> None:
    """M3: a suspect of a rejected response is tried apart no sooner than its cluster was acknowledged."""
    client = delta(build.snapshot(build.cluster("a"), scope("good", "a"), scope("other")))
    client.ask(SCOPED_ROUTE)
    both = client.next()
    client.ask(CLUSTER)
    cluster = client.next()
    client.nack(both, reason="other")
    other = client.next()
    client.nack(other)
    waiting = client.next()
    client.ack(cluster)

    assert ([(SCOPED_ROUTE, ["other"], [])], None) == (told([other]), waiting)
    assert [(SCOPED_ROUTE, ["good"], [])] == told(client.settle())
