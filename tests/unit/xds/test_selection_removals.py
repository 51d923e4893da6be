"""Make before break: what is removed last, and when."""

from __future__ import annotations

from unit.xds.client import build, delta, in_step, scope, sotw, told

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, SECRET, ResourceName


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


def test_m3_cluster_of_a_held_back_route_is_kept() -> None:
    """M3: the last good route works though its cluster left the snapshot, however long its successor is rejected."""
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


def test_m4_cluster_of_a_route_in_flight_is_kept() -> None:
    """M4: a route that was sent may be in use before it is acknowledged, so its cluster is not removed under it."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b"), scope("r", "b")]))
    client.ack(client.next())
    in_flight = client.next()
    client.offer(client.stream.snapshot.updated([scope("r", "a")], [ResourceName(CLUSTER, "b")]))

    assert ([(SCOPED_ROUTE, ["r"], [])], None) == (told([in_flight]), client.next())

    client.ack(in_flight)

    assert [(SCOPED_ROUTE, ["r"], []), (CLUSTER, [], ["b"])] == told(client.settle())


def test_m4_cluster_of_a_route_rejected_with_others_is_kept() -> None:
    """M4: of a rejected response a route may have been applied, so its cluster stays until another is acknowledged."""
    client = in_step()
    client.offer(client.stream.snapshot.updated([build.cluster("b")]))
    client.settle()
    client.offer(client.stream.snapshot.updated([scope("r", "b"), scope("s", "b")]))
    client.nack(client.next())
    client.offer(
        client.stream.snapshot.updated([scope("r", "a")], [ResourceName(CLUSTER, "b"), ResourceName(SCOPED_ROUTE, "s")])
    )

    mended = client.next()

    assert ([(SCOPED_ROUTE, ["r"], ["s"])], None) == (told([mended]), client.next())

    client.ack(mended)

    assert [(CLUSTER, [], ["b"])] == told(client.settle())


def test_m4_unknown_content_from_before_the_stream_keeps_clusters() -> None:
    """M4: after a reconnect nobody knows what an outdated route leans on; clusters are removed once it is replaced."""
    client = delta(build.snapshot(build.cluster("b"), scope("r", "b")))
    client.ask(CLUSTER, initial_versions={"a": "old", "b": client.stream.snapshot.table(CLUSTER)["b"].version})
    client.ask(SCOPED_ROUTE, initial_versions={"r": "old"})
    clusters, routes = client.all()
    client.ack(clusters)

    assert [(CLUSTER, [], []), (SCOPED_ROUTE, ["r"], [])] == told([clusters, routes])
    assert client.next() is None

    client.ack(routes)

    assert [(CLUSTER, [], ["a"])] == told(client.settle())
