"""How APIServices stand at one moment, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from controlplane.admin.conditions import Sparing, Standing, Taken
from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.change import ObjectKey
from controlplane.model.proxy import Proxy, ProxyState, ProxyType, RejectedResource
from controlplane.model.resource import SCOPED_ROUTE
from controlplane.model.topology import Api, Topology
from controlplane.registry.resolve import PASSED

MISSING = Condition(ConditionStatus.FALSE, "EndpointsNotFound", "cannot find endpointslices")
HEALTHY = Taken((), connected=True)


def topology(**groups: Condition) -> Topology:
    """APIServices v1 of these groups, which stand like this."""
    reference = ServiceReference("ns", "svc")
    apis = (
        Api(ApiService(GroupVersion(group, "v1"), 1000, 10, reference), condition)
        for group, condition in groups.items()
    )
    return Topology(apis=MappingProxyType({api.service.group_version: api for api in apis}))


def rejecting(group: str) -> Taken:
    """What a proxy takes that rejects the routes of a group."""
    rejected = (RejectedResource(f"{group}/v1", "new", "bad"),)
    kind = ProxyType(SCOPED_ROUTE, ProxyState.REJECTED, True, 0, 1, "1", 1.0, "1", 1.0, "", rejected)
    return Taken.by([Proxy("envoy", "", "", "", "delta", 0.0, 1, 1, ProxyState.REJECTED, (kind,))])


def key(name: str) -> ObjectKey:
    """The key of an APIService."""
    return ObjectKey("APIService", "", name)


def told(standing: Standing, name: str) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    return {kind: (condition.status.value, condition.reason) for kind, condition in standing(key(name))}


def changed(after: Standing, before: Standing) -> list[str]:
    """The names of those that stand otherwise."""
    return sorted(one.name for one in after.differing(before))


def test_each_is_found_by_its_name() -> None:
    """Its own conditions; there are none for what the topology has not, nor for other kinds."""
    standing = Standing(topology(a=PASSED, b=MISSING), lambda: rejecting("a"))

    assert {"Available": ("False", "NotProgrammed"), "Programmed": ("False", "Rejected")} == told(standing, "v1.a")
    assert {"Available": ("False", "EndpointsNotFound"), "Programmed": ("True", "Programmed")} == told(standing, "v1.b")
    assert {} == told(standing, "v1.c")
    assert () == standing(ObjectKey("Role", "", "v1.a"))


def test_proxies_are_looked_at_once_and_not_in_vain() -> None:
    """Not for other kinds, and once for all APIServices."""
    looks: list[None] = []

    def taken() -> Taken:
        looks.append(None)
        return HEALTHY

    standing = Standing(topology(a=PASSED, b=PASSED), taken)
    standing(ObjectKey("Role", "ns", "r"))
    before = len(looks)
    told(standing, "v1.a"), told(standing, "v1.b")

    assert (0, 1) == (before, len(looks))


def test_what_stands_otherwise_is_what_differs() -> None:
    """By its own condition, by what proxies reject, and for being new; what is gone stands nowhere."""
    before = topology(a=PASSED, b=PASSED)
    first = Standing(before, lambda: HEALTHY)

    assert [] == changed(Standing(before, lambda: HEALTHY), first)
    assert [] == changed(Standing(topology(a=PASSED, b=PASSED), lambda: HEALTHY), first)
    assert ["v1.b", "v1.c"] == changed(Standing(topology(b=MISSING, c=PASSED), lambda: HEALTHY), first)
    assert ["v1.b"] == changed(Standing(before, lambda: rejecting("b")), first)
    assert ["v1.a", "v1.b"] == changed(Standing(before, lambda: Taken((), connected=False)), first)


def test_what_was_looked_at_is_of_its_moment() -> None:
    """However late it is compared; before, what proxies take is what they take when it is asked for first."""
    apis, takes = topology(a=PASSED, b=PASSED), [HEALTHY]
    looked, late = Standing(apis, lambda: takes[0]).looked(), Standing(apis, lambda: takes[0])
    takes[0] = rejecting("b")
    now = Standing(apis, lambda: takes[0])

    assert (["v1.b"], []) == (changed(now, looked), changed(now, late))


def test_a_tenth_of_the_time_is_spent_looking() -> None:
    """What took a second to find is kept for ten, what took none is found anew."""

    def ticking(*times: float) -> Iterator[float]:
        yield from times

    clock, looks = ticking(0, 1, 10.9, 11, 11, 11), iter("abcdef")
    sparing = Sparing(lambda: next(looks), lambda: next(clock))

    assert ["a", "a", "b", "c"] == [sparing(), sparing(), sparing(), _instant()]


def _instant() -> str:
    looks = iter("bc")
    sparing = Sparing(lambda: next(looks), lambda: 5.0)
    sparing()
    return sparing()
