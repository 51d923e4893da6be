"""The mass-delete guard: what it withholds, and when it lets go."""

from __future__ import annotations

import pytest
from unit.xds.client import NAMES, SHRINK_LIMIT, build, delta, guarded, removed, scope, sotw, told, without, world

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Converged, Released, Withheld


def versions(snapshot: Snapshot, type_url: str) -> dict[str, str]:
    """What a client says that it holds when it comes back."""
    return {name: resource.version for name, resource in snapshot.table(type_url).items()}


def test_shrink_within_the_limit_is_pushed() -> None:
    """F3: three of ten go, routes first, as without a guard."""
    client = guarded()
    client.offer(without(client.stream.snapshot, "c0", "c1", "c2"))

    assert told(client.settle()) == [
        (SCOPED_ROUTE, [], ["to-c0", "to-c1", "to-c2"]),
        (CLUSTER, [], ["c0", "c1", "c2"]),
    ]


def test_shrink_past_the_limit_withholds_every_removal() -> None:
    """F3: with four of ten clusters nothing goes, of no type, however long one waits; a person is told once."""
    client = guarded()
    client.offer(without(client.stream.snapshot, *NAMES[:4]))
    first, deadline = client.next(), client.stream.deadline()
    client.now = 10_000.0
    later = client.next()
    events = client.stream.events()

    assert (first, deadline, later) == (None, None, None)
    assert events == [Withheld(CLUSTER, 4, 10)]


def test_upserts_go_on_while_removals_are_withheld() -> None:
    """F3: what is new or changed is pushed, with its route after its cluster."""
    client = guarded()
    emptied = without(client.stream.snapshot, *NAMES)
    client.offer(emptied.updated([build.cluster("new"), scope("to-new", "new")]))

    assert told(client.settle()) == [(CLUSTER, ["new"], []), (SCOPED_ROUTE, ["to-new"], [])]


@pytest.mark.parametrize("type_url", [CLUSTER, LISTENER, SCOPED_ROUTE])
def test_each_guarded_type_withholds_the_removals_of_all(type_url: str) -> None:
    """F3: too many lost of one type keep the only resource of another."""
    other = LISTENER if type_url == CLUSTER else CLUSTER
    snapshot = build.snapshot(*(build.of(type_url, name) for name in NAMES), build.of(other, "only"))
    client = delta(snapshot, shrink_limit=SHRINK_LIMIT)
    client.ask(type_url)
    client.ask(other)
    client.settle()
    gone = [ResourceName(type_url, name) for name in NAMES]
    client.offer(snapshot.updated([], [*gone, ResourceName(other, "only")]))

    assert told(client.settle()) == []


def test_type_that_is_not_guarded_may_lose_everything() -> None:
    """F3: the load assignments or secrets that go with few clusters are no mass delete."""
    snapshot = build.snapshot(*(build.of(SECRET, name) for name in NAMES))
    client = delta(snapshot, shrink_limit=SHRINK_LIMIT)
    client.ask(SECRET, NAMES)
    client.settle()
    client.offer(snapshot.updated([], [ResourceName(SECRET, name) for name in NAMES]))

    assert removed(client) == set(NAMES)


def test_stream_without_a_limit_is_not_guarded() -> None:
    """An embedder that sets nothing pushes whatever it publishes."""
    client = guarded(shrink_limit=None)
    client.offer(without(client.stream.snapshot, *NAMES))

    assert removed(client) == {*NAMES, *(f"to-{name}" for name in NAMES)}


def test_state_of_the_world_goes_on_carrying_what_is_withheld() -> None:
    """F3: absence removes, so a response for something new carries the old as well."""
    client = guarded(sotw)
    emptied = without(client.stream.snapshot, *NAMES)
    client.offer(emptied.updated([build.cluster("new")]))
    answers = client.settle()
    client.stream.confirm(client.stream.snapshot.generation)
    after = client.settle()

    assert [(answer.type_url, set(answer.resources)) for answer in answers] == [(CLUSTER, {*NAMES, "new"})]
    assert [(answer.type_url, set(answer.resources)) for answer in after] == [(SCOPED_ROUTE, set()), (CLUSTER, {"new"})]


def test_client_that_comes_back_over_an_emptied_snapshot_keeps_everything() -> None:
    """F3: what it says that it holds counts, though this control plane has never known it."""
    before = world(*NAMES)
    client = delta(build.snapshot(), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER, initial_versions=versions(before, CLUSTER))
    client.ask(ENDPOINTS, NAMES, initial_versions=dict.fromkeys(NAMES, "1"))
    client.ask(SCOPED_ROUTE, initial_versions=versions(before, SCOPED_ROUTE))

    assert removed(client) == set()


def test_client_that_comes_back_routes_first_keeps_everything() -> None:
    """F3: routes are guarded by themselves, for their removal would take the traffic before clusters are mentioned."""
    client = delta(build.snapshot(), shrink_limit=SHRINK_LIMIT)
    client.ask(SCOPED_ROUTE, initial_versions=versions(world(*NAMES), SCOPED_ROUTE))

    assert removed(client) == set()


def test_objects_that_come_back_end_the_withholding() -> None:
    """F3: once the shrink is within the limit the rest of it goes, and what came back unchanged is not sent."""
    client = guarded()
    snapshot = client.stream.snapshot
    client.offer(without(snapshot, *NAMES))
    client.settle()
    client.stream.events()
    client.offer(without(snapshot, "c0"))
    answers = client.settle()

    assert told(answers) == [(SCOPED_ROUTE, [], ["to-c0"]), (CLUSTER, [], ["c0"])]
    assert client.events(Released) == [Released(confirmed=False)]


def test_confirmation_lets_go_in_order() -> None:
    """F3: confirmed, routes go first, and their clusters after the acknowledgement although time has passed."""
    client = guarded()
    client.offer(without(client.stream.snapshot, *NAMES))
    client.settle()
    client.now = 1000.0
    released = client.stream.confirm(client.stream.snapshot.generation)
    routes, waiting = client.next(), client.next()
    client.ack(routes)
    clusters = client.next()

    assert released is True
    assert [(routes.type_url, len(routes.removed)), waiting] == [(SCOPED_ROUTE, 10), None]
    assert (clusters.type_url, clusters.removed) == (CLUSTER, list(NAMES))
    assert client.events(Released) == [Released(confirmed=True)]


def test_removals_that_waited_for_their_turn_are_withheld_too() -> None:
    """F3: a cluster whose removal waits for a route goes no more when another snapshot takes too much."""
    client = guarded()
    client.offer(without(client.stream.snapshot, "c0"))
    route = client.next()
    waiting = client.next()
    client.offer(without(client.stream.snapshot, *NAMES))
    client.ack(route)
    client.now = 1000.0

    assert (route.removed, waiting) == (["to-c0"], None)
    assert (removed(client), client.stream.deadline()) == (set(), None)


def test_confirmation_of_an_older_snapshot_releases_nothing() -> None:
    """F3: what was confirmed is what somebody has seen."""
    client = guarded()
    client.offer(without(client.stream.snapshot, *NAMES[:4]))
    client.settle()
    confirmed = client.stream.snapshot.generation
    client.offer(without(client.stream.snapshot, *NAMES))
    client.settle()

    assert client.stream.confirm(confirmed) is False
    assert removed(client) == set()


@pytest.mark.parametrize(("confirmed", "gone"), [(0, set(NAMES)), (-1, set())])
def test_stream_opened_after_a_confirmation_is_not_guarded(confirmed: int, gone: set[str]) -> None:
    """F3: a client that was away when its removals were confirmed need not be confirmed by itself."""
    client = delta(build.snapshot(), shrink_limit=SHRINK_LIMIT, confirmed=confirmed)
    client.ask(CLUSTER, initial_versions=versions(world(*NAMES), CLUSTER))

    assert removed(client) == gone


def test_question_for_what_does_not_exist_is_answered_all_the_same() -> None:
    """D3: while removals are withheld, a name that is neither there nor held is said to be missing."""
    client = guarded()
    client.ask(ENDPOINTS, [])
    client.offer(without(client.stream.snapshot, *NAMES))
    client.settle()
    client.ask(ENDPOINTS, ["nowhere"])

    assert told(client.settle()) == [(ENDPOINTS, [], ["nowhere"])]


def test_removals_that_vanish_end_the_withholding() -> None:
    """F3: once the client itself has given up everything that was withheld, the stream is in step."""
    client = delta(build.snapshot(*(build.cluster(name) for name in NAMES)), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER, NAMES)
    client.settle()
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, name) for name in NAMES[:5]]))
    client.settle()
    withholding = client.stream.withholding
    client.ask(CLUSTER, unsubscribe=NAMES[:5])
    client.settle()

    assert (withholding, client.stream.withholding, client.stream.withheld("")) == (True, False, ())


def test_stream_converges_when_it_is_released() -> None:
    """While removals are withheld a generation is not acknowledged; the time that a person took is not counted."""
    client = guarded()
    client.offer(without(client.stream.snapshot, *NAMES))
    client.settle()
    before = (client.stream.status().acked_generation, client.events(Converged))
    client.now = 5000.0
    client.stream.confirm(2)
    client.settle()

    assert before == (1, [])
    assert (client.stream.status().acked_generation, client.events(Converged)) == (2, [Converged(2, 0.0)])


def test_removal_of_what_may_be_held_is_withheld_and_released() -> None:
    """F3: of a rejected response Envoy may have kept a part, so its removal counts as one."""
    client = guarded()
    client.offer(client.stream.snapshot.updated([build.cluster("x"), build.cluster("y")]))
    client.nack(client.next(), reason="one of two")
    emptied = without(client.stream.snapshot, *NAMES)
    client.offer(emptied.updated([], [ResourceName(CLUSTER, name) for name in ("x", "y")]))
    before = removed(client)
    client.stream.confirm(client.stream.snapshot.generation)

    assert before == set()
    assert {"x", "y"} < removed(client)


def test_removal_that_was_rejected_is_not_tried_again_when_others_are_released() -> None:
    """F3: whoever confirms does not know better than the client."""
    client = guarded()
    client.offer(client.stream.snapshot.updated([], [ResourceName(SCOPED_ROUTE, "to-c0")]))
    client.nack(client.next(), reason="in use")
    client.offer(without(client.stream.snapshot, *NAMES))
    client.settle()
    client.stream.confirm(client.stream.snapshot.generation)
    gone = removed(client)

    assert "to-c1" in gone
    assert "to-c0" not in gone
