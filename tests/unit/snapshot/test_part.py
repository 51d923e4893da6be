"""A part of a snapshot holds what is chosen, what that leans on, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, SECRET, EnvoyResource, ResourceName
from controlplane.snapshot.part import Part
from controlplane.snapshot.snapshot import Snapshot

CA = ResourceName(SECRET, "ca")


def scope(name: str, *clusters: str) -> EnvoyResource:
    """A scoped route to clusters."""
    references = frozenset(ResourceName(CLUSTER, cluster) for cluster in clusters)
    return EnvoyResource(ResourceName(SCOPED_ROUTE, name), ",".join(clusters).encode() or b"none", references)


def backend(name: str, body: bytes = b"1") -> list[EnvoyResource]:
    """A cluster that leans on the secret "ca", and its load assignment."""
    endpoints = ResourceName(ENDPOINTS, name)
    return [
        EnvoyResource(ResourceName(CLUSTER, name), body, frozenset({CA}), frozenset({endpoints})),
        EnvoyResource(endpoints, body),
    ]


def whole() -> Snapshot:
    """Routes "a" and "b" to a backend each, and the secret."""
    ca = EnvoyResource(CA, b"pem")
    return Snapshot().updated([ca, scope("a", "x"), scope("b", "y"), *backend("x"), *backend("y")])


def names(snapshot: Snapshot) -> set[str]:
    """What is held, as short type and name."""
    return {f"{type_url.rpartition('.')[2]} {name}" for type_url, table in snapshot.tables.items() for name in table}


def scopes(*wanted: str) -> Iterable[ResourceName]:
    """The names of scoped routes."""
    return [ResourceName(SCOPED_ROUTE, name) for name in wanted]


X = {"ScopedRouteConfiguration a", "Cluster x", "ClusterLoadAssignment x", "Secret ca"}
Y = {"ScopedRouteConfiguration b", "Cluster y", "ClusterLoadAssignment y", "Secret ca"}


def test_a_part_holds_what_is_chosen_and_what_that_leans_on() -> None:
    """From the route over cluster and load assignment to the secret, and nothing of the other route."""
    assert X == names(Part().updated(whole(), scopes("a")))


def test_nothing_chosen_is_nothing_held() -> None:
    """Neither a secret nor a cluster is there for its own sake."""
    assert set() == names(Part().updated(whole()))


def test_resources_are_the_identical_objects_of_the_whole() -> None:
    """What was framed once is shared by all parts."""
    everything = whole()
    one, other = Part().updated(everything, scopes("a")), Part().updated(everything, scopes("a", "b"))

    assert all(
        resource is everything.get(resource.key)
        for part in (one, other)
        for table in part.tables.values()
        for resource in table.values()
    )


def test_what_is_dropped_goes_with_all_that_only_it_leaned_on() -> None:
    """The secret that another cluster leans on stays."""
    part, everything = Part(), whole()
    part.updated(everything, scopes("a", "b"))

    after = part.updated(everything, dropped=scopes("a"))

    assert Y == names(after)
    assert {"ScopedRouteConfiguration", "Cluster", "ClusterLoadAssignment"} == {
        type_url.rpartition(".")[2] for type_url in after.touched
    }


def test_a_choice_may_be_said_again() -> None:
    """Chosen or dropped twice is chosen or dropped, and no new snapshot."""
    part, everything = Part(), whole()
    first = part.updated(everything, [*scopes("a"), *scopes("a")])
    again = part.updated(everything, scopes("a"), scopes("b"))
    part.updated(everything, dropped=[*scopes("a"), *scopes("a")])

    assert first is again
    assert set() == names(part.updated(everything, dropped=scopes("a")))


def test_what_is_chosen_before_it_is_there_comes_when_it_does() -> None:
    """A name need not exist yet, nor what a resource leans on."""
    part = Part()
    part.updated(Snapshot(), scopes("a"))
    route = Snapshot().updated([scope("a", "x")])
    dangling = part.updated(route)
    complete = part.updated(route.updated([*backend("x"), EnvoyResource(CA, b"pem")]))

    assert {"ScopedRouteConfiguration a"} == names(dangling)
    assert X == names(complete)


def test_a_change_elsewhere_is_no_change_of_the_part() -> None:
    """The part stays the identical snapshot, so that nobody is woken."""
    part, everything = Part(), whole()
    before = part.updated(everything, scopes("a"))

    assert before is part.updated(everything.updated([*backend("y", b"2"), scope("c", "y")]))


def test_a_route_that_moves_to_another_cluster_takes_the_part_with_it() -> None:
    """What leaned on the old cluster leans on the new one; the secret of both is not touched."""
    part, everything = Part(), whole()
    part.updated(everything, scopes("a"))

    after = part.updated(everything.updated([scope("a", "y")]))

    assert {"ScopedRouteConfiguration a", "Cluster y", "ClusterLoadAssignment y", "Secret ca"} == names(after)
    assert frozenset({"x", "y"}) == after.touched[CLUSTER]
    assert SECRET not in after.touched


def test_all_resources_of_some_types_can_be_chosen() -> None:
    """Later ones too, with what they lean on, until they are gone."""
    part = Part([LISTENER])
    listener = EnvoyResource(ResourceName(LISTENER, "door"), b"1", frozenset({CA}))
    part.updated(whole())
    with_it = whole().updated([listener])

    assert {"Listener door", "Secret ca"} == names(part.updated(with_it))
    assert set() == names(part.updated(with_it.updated([], [listener.key])))


def test_a_resource_of_its_own_stands_in_for_the_wholes() -> None:
    """Whatever the whole makes of it."""
    listener, own = (EnvoyResource(ResourceName(LISTENER, "door"), body) for body in (b"1", b"2"))
    part, everything = Part([LISTENER], [own]), whole().updated([listener])
    before = part.updated(everything)
    after = part.updated(everything.updated([EnvoyResource(listener.key, b"3")]))

    assert b"2" == after.table(LISTENER)["door"].body
    assert before is after


def test_a_skipped_whole_is_made_up_for() -> None:
    """A part that missed a snapshot compares everything."""
    part, everything = Part(), whole()
    part.updated(everything, scopes("a"))
    skipped = everything.updated([], [ResourceName(ENDPOINTS, "x")])

    after = part.updated(skipped.updated([scope("b")]))

    assert X - {"ClusterLoadAssignment x"} == names(after)
