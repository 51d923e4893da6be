"""The mass-delete guard: from what a shrink is counted."""

from __future__ import annotations

import pytest
from unit.xds.client import NAMES, SHRINK_LIMIT, Client, build, delta, guarded, removed, scope, told, without

from controlplane.model.resource import CLUSTER, ResourceName
from controlplane.xds.status import Withheld


def with_clusters() -> Client:
    """A client that holds ten clusters and asks for nothing else."""
    client = delta(build.snapshot(*(build.cluster(name) for name in NAMES)), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER)
    client.settle()
    return client


@pytest.mark.parametrize(
    ("size", "wanted", "exceeded"),
    [(10, 7, False), (10, 6, True), (10, 0, True), (3, 1, False), (4, 1, True), (10, 10, False), (5, 10, False)],
)
def test_limit_is_a_share_and_a_number(size: int, wanted: int, exceeded: bool) -> None:
    """More than the share, and not fewer than the number, is too much; growth never is."""
    assert exceeded is SHRINK_LIMIT.exceeded(size, wanted)


def test_snapshot_after_the_confirmed_one_is_guarded_anew() -> None:
    """F3: from the size that was confirmed, not from the one before."""
    client = guarded()
    client.offer(without(client.stream.snapshot, *NAMES[:4]))
    client.settle()
    client.stream.confirm(client.stream.snapshot.generation)
    first = removed(client)
    client.offer(without(client.stream.snapshot, "c4"))
    second = removed(client)
    client.offer(without(client.stream.snapshot, "c5", "c6"))
    third = removed(client)

    assert len(first) == 8
    assert second == {"c4", "to-c4"}
    assert third == set()


def test_small_steps_add_up() -> None:
    """F3: a folder that is deleted goes file by file; the fourth of ten is withheld like four at once."""
    client = guarded()
    for name in NAMES:
        client.offer(without(client.stream.snapshot, name))
        client.settle()

    assert client.stream.withheld("edge")[0] == Withheld("envoy-1", "edge", CLUSTER, 7, 7)


def test_steps_that_are_far_apart_do_not_add_up() -> None:
    """F3: a fleet that shrinks over a day needs nobody's leave."""
    client = guarded()
    gone = set()
    for names in (NAMES[:3], NAMES[3:5], NAMES[5:6], NAMES[6:7]):
        client.now += 1200.0
        client.offer(without(client.stream.snapshot, *names))
        gone |= removed(client)

    assert gone == {*NAMES[:7], *(f"to-{name}" for name in NAMES[:7])}


def test_steps_within_the_time_add_up_across_its_halves() -> None:
    """F3: steps are added up for the whole time at least, whenever they begin."""
    client = with_clusters()
    client.offer(client.stream.snapshot.updated([build.cluster("c0", "2")]))
    client.settle()
    client.now = 650.0
    client.offer(without(client.stream.snapshot, "c0", "c1"))
    before = removed(client)
    client.now = 1240.0
    client.offer(without(client.stream.snapshot, "c2", "c3"))

    assert before == {"c0", "c1"}
    assert removed(client) == set()


def test_time_does_not_wear_the_guard_out() -> None:
    """F3: while removals are withheld, ordinary changes hours later are pushed and nothing else is."""
    client = with_clusters()
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, name) for name in NAMES]))
    client.settle()
    pushed = []
    for hour in range(1, 4):
        client.now = 3600.0 * hour
        client.offer(client.stream.snapshot.updated([build.cluster("new", str(hour))]))
        pushed.append(told(client.settle()))

    assert pushed == [[(CLUSTER, ["new"], [])]] * 3


def test_replacement_is_no_shrink() -> None:
    """F3: an upgrade that gives everything another name loses nothing, also while old and new overlap."""
    client = guarded()
    fresh = [f"new-{number}" for number in range(10)]
    replaced = without(client.stream.snapshot, *NAMES).updated(
        [*(build.cluster(name) for name in fresh), *(scope(f"to-{name}", name) for name in fresh)]
    )
    client.offer(replaced)
    added = client.next()
    client.ack(added)
    client.offer(replaced.updated([build.cluster("one-more")]))

    assert list(added.resources) == fresh
    assert removed(client) == {*NAMES, *(f"to-{name}" for name in NAMES)}


def test_client_that_unsubscribes_gives_up_by_itself() -> None:
    """F3: a shrink is counted from what the client still asks for."""
    client = delta(build.snapshot(*(build.cluster(name) for name in NAMES)), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER, NAMES)
    client.settle()
    client.offer(client.stream.snapshot.updated([build.cluster("c0", "2")]))
    client.settle()
    client.ask(CLUSTER, unsubscribe=NAMES[1:])
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, "c0")]))

    assert removed(client) == {"c0"}


def test_client_that_names_clusters_is_guarded_by_what_it_names() -> None:
    """F3: four of the five that it asked for are too many, whatever else there is."""
    client = delta(build.snapshot(*(build.cluster(name) for name in NAMES)), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER, NAMES[:5])
    client.settle()
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, name) for name in NAMES[:4]]))

    assert removed(client) == set()


def test_what_is_on_its_way_counts_as_held() -> None:
    """F3: an Envoy that is still warming its first clusters when the source is emptied keeps them."""
    client = delta(build.snapshot(*(build.cluster(name) for name in NAMES)), shrink_limit=SHRINK_LIMIT)
    client.ask(CLUSTER)
    cold = client.next()
    client.offer(client.stream.snapshot.updated([], [ResourceName(CLUSTER, name) for name in NAMES]))
    client.ack(cold)

    assert removed(client) == set()
