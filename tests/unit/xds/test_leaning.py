"""What held resources lean on."""

from controlplane.model.resource import CLUSTER, ENDPOINTS, ROUTE, ResourceName
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.held import Claim
from controlplane.xds.leaning import Leaning
from controlplane.xds.subscription import Subscription

A, B, E = ResourceName(CLUSTER, "a"), ResourceName(CLUSTER, "b"), ResourceName(ENDPOINTS, "a")


def subscription_with(type_url: str, **behind: Resource | Claim) -> Subscription:
    """A subscription whose client holds these instead of what it shall hold."""
    subscription = Subscription(type_url, {})
    subscription.wildcard = True
    for name, held in behind.items():
        subscription.behind.put(name, held, listed=False)
    return subscription


def test_resources_in_step_lean_on_nothing_that_goes() -> None:
    """A consistent snapshot removes nothing that it still references."""
    assert not Leaning.of([subscription_with(ROUTE)]).holds_up(A)


def test_outdated_resources_hold_up_references_and_children() -> None:
    """A route holds up its cluster, a cluster its load assignment."""
    route = Resource.of(ROUTE, "r", b"", references=frozenset({A}))
    cluster = Resource.of(CLUSTER, "a", b"", children=frozenset({E}))
    leaning = Leaning.of([subscription_with(ROUTE, r=route), subscription_with(CLUSTER, a=cluster)])

    assert [True, True, False] == [leaning.holds_up(key) for key in (A, E, B)]


def test_resources_held_back_lean_firmly() -> None:
    """What stays for want of a good successor is told apart, for its wait has no end."""
    route = Resource.of(ROUTE, "r", b"", references=frozenset({A}))
    routes = subscription_with(ROUTE, r=route)
    routes.hold_back("r")

    assert (frozenset({A}), frozenset()) == (Leaning.of([routes]).firm, Leaning.of([routes]).passing)


def test_unknown_content_holds_up_everything() -> None:
    """Of what a client brought from before, nobody knows what it leans on."""
    assert Leaning.of([subscription_with(ROUTE, r=Claim("old"))]).holds_up(A)


def test_resource_that_is_going_itself_is_no_reason_to_wait() -> None:
    """Two removals of unknown content do not wait for each other."""
    clusters = subscription_with(CLUSTER, a=Claim("old"))
    clusters.retiring["a"] = 5.0

    assert not Leaning.of([clusters]).holds_up(B)
