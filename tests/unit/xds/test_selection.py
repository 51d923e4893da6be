"""Make before break: what waits for what, and for how long."""

from __future__ import annotations

import pytest
from unit.xds.client import Answer, Client, build, delta, sotw

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.xds.event import Converged


def in_step(*types: str, **options: object) -> Client:
    """A delta client that holds cluster "a" with endpoints, and a scoped route "r" to it."""
    client = delta(build.snapshot(build.cluster("a"), build.endpoints("a"), scope("r", "a")), **options)
    for type_url in types or (CLUSTER, SCOPED_ROUTE):
        client.ask(type_url, ("a",) if type_url == ENDPOINTS else ())
    client.settle()
    return client


def scope(name: str, *clusters: str, body: str = "1") -> object:
    """A scoped route."""
    return build.route(name, *clusters, body=body, type_url=SCOPED_ROUTE)


def told(answers: list[Answer]) -> list[tuple[str, list[str], list[str]]]:
    """Types with the names sent and removed."""
    return [(answer.type_url, list(answer.resources), answer.removed) for answer in answers]


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


def test_m2_repointed_route_keeps_its_old_cluster_until_acknowledged() -> None:
    """M2: the cluster a route leaves is removed after the route's acknowledgement, not before."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("r", "b")], [ResourceName(CLUSTER, "a")]))
    new_cluster = client.next()
    client.ack(new_cluster)
    route = client.next()
    waiting = client.next()
    client.ack(route)
    removal = client.next()

    assert told([new_cluster, route, removal]) == [
        (CLUSTER, ["b"], []),
        (SCOPED_ROUTE, ["r"], []),
        (CLUSTER, [], ["a"]),
    ]
    assert waiting is None


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


def test_m3_wait_for_two_clusters_has_one_limit() -> None:
    """M3: the second cluster of a route does not begin a wait of its own."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("s", "b", "missing")]))
    cluster = client.next()
    client.next()
    client.now = 103.0
    client.ack(cluster)

    assert (client.next(), client.stream.deadline()) == (None, 105.0)


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


def test_m3_cluster_of_a_held_back_route_is_kept() -> None:
    """M3: the last good route still works after its cluster left the snapshot, however long its successor is rejected."""
    client = in_step()
    client.offer(
        client.stream.snapshot.updated([build.cluster("bad"), scope("r", "bad")], [ResourceName(CLUSTER, "a")])
    )
    client.nack(client.next())
    for seconds in (0, 5, 10, 60):
        client.now = 100.0 + seconds

        assert client.next() is None
        assert client.stream.deadline() > client.now

    client.offer(client.stream.snapshot.updated([build.cluster("bad", "good")]))

    assert told(client.settle()) == [(CLUSTER, ["bad"], []), (SCOPED_ROUTE, ["r"], []), (CLUSTER, [], ["a"])]


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


def test_m4_route_goes_before_its_cluster() -> None:
    """M4: a removed registration is the route's removal, its acknowledgement, then cluster, then endpoints."""
    client = in_step(CLUSTER, ENDPOINTS, SCOPED_ROUTE)
    client.offer(
        client.stream.snapshot.updated(
            [], [ResourceName(CLUSTER, "a"), ResourceName(ENDPOINTS, "a"), ResourceName(SCOPED_ROUTE, "r")]
        )
    )
    steps = []
    while (answer := client.next()) is not None:
        steps.append(answer)

        assert client.next() is None

        client.ack(answer)

    assert told(steps) == [(SCOPED_ROUTE, [], ["r"]), (CLUSTER, [], ["a"]), (ENDPOINTS, [], ["a"])]


def test_m4_wait_for_the_route_has_a_limit() -> None:
    """M4: a route's removal that is never acknowledged keeps its cluster for five seconds, no longer."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, "a"), ResourceName(SCOPED_ROUTE, "r")]))
    client.next()
    waiting = client.next()
    deadline = client.stream.deadline()
    client.now = deadline

    assert (waiting, deadline) == (None, 105.0)
    assert told(client.all()) == [(CLUSTER, [], ["a"])]


def test_m4_secret_goes_after_the_listener_that_names_it() -> None:
    """M4: a certificate stays until the listener was told of another."""
    client = delta(
        build.snapshot(build.of(SECRET, "s"), build.of(LISTENER, "l", references=[ResourceName(SECRET, "s")]))
    )
    client.ask(LISTENER)
    client.ask(SECRET, ["s"])
    client.settle()
    client.offer(client.stream.snapshot.updated([build.of(LISTENER, "l", "2")], [ResourceName(SECRET, "s")]))

    assert told(client.settle()) == [(LISTENER, ["l"], []), (SECRET, [], ["s"])]


def test_removed_and_added_again_while_waiting_stays() -> None:
    """A cluster that comes back before its removal was sent was never gone."""
    client = in_step()
    snapshot = client.stream.snapshot
    without = snapshot.updated([], [ResourceName(CLUSTER, "a"), ResourceName(SCOPED_ROUTE, "r")])
    client.offer(without)
    removal = client.next()
    client.next()
    client.offer(without.updated([build.cluster("a"), scope("r", "a")]))
    client.ack(removal)

    assert told(client.settle()) == [(SCOPED_ROUTE, ["r"], [])]


def test_route_does_not_go_while_its_cluster_is_being_removed() -> None:
    """A removal in flight counts: the route waits for the cluster to be back."""
    client = in_step(CLUSTER, SCOPED_ROUTE)
    snapshot = client.stream.snapshot
    without = snapshot.updated([], [ResourceName(CLUSTER, "a"), ResourceName(SCOPED_ROUTE, "r")])
    client.offer(without)
    client.ack(client.next())
    removal = client.next()
    client.offer(without.updated([build.cluster("a"), scope("r", "a")]))
    waiting = client.next()
    client.ack(removal)

    assert told([removal]) == [(CLUSTER, [], ["a"])]
    assert waiting is None
    assert told(client.settle()) == [(CLUSTER, ["a"], []), (SCOPED_ROUTE, ["r"], [])]


def test_secrets_go_one_a_response() -> None:
    """The guilty secret of a rejected response could not be found, so there is never more than one."""
    client = delta(build.snapshot(build.of(SECRET, "a"), build.of(SECRET, "b")))
    client.ask(SECRET, ["a", "b"])

    assert told(client.settle()) == [(SECRET, ["a"], []), (SECRET, ["b"], [])]


def test_sotw_world_keeps_what_must_not_go_yet() -> None:
    """M2 in state of the world: responses still list the old cluster until the route was acknowledged."""
    client = sotw(build.snapshot(build.cluster("a"), scope("r", "a")))
    client.ask(CLUSTER)
    client.ask(SCOPED_ROUTE)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("r", "b")], [ResourceName(CLUSTER, "a")]))

    assert [(CLUSTER, {"a", "b"}), (SCOPED_ROUTE, {"r"}), (CLUSTER, {"b"})] == [
        (answer.type_url, set(answer.resources)) for answer in client.settle()
    ]


def test_convergence_is_told_once_everything_is_acknowledged() -> None:
    """From the first change that the client had not to its last acknowledgement, however many generations lie between."""
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
