"""What proxies rejected, and what they hold in its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controlplane.admin.faults import Fault, faults
from controlplane.model.proxy import Proxy, ProxyResource, ProxyState, ProxyType, RejectedResource, ResourceState
from controlplane.model.resource import CLUSTER, LISTENER, SCOPED_ROUTE, SECRET, ResourceName

KEY = ResourceName(CLUSTER, "backend/ns/svc")
SCOPE = ResourceName(SCOPED_ROUTE, "a.io/v1")
STAYS = "Cluster backend/ns/svc was rejected: bad CA; what was in force before stays in force"
NOTHING = "Cluster backend/ns/svc was rejected: bad CA; there is nothing older that could stay in force"


def a_type(
    type_url: str,
    *out_of_step: tuple[str, str],
    rejected: tuple[str, ...] = (),
    reason: str = "bad CA",
    behind: int = 0,
) -> ProxyType:
    """A type of which a proxy holds these names at these versions instead of what it shall."""

    def resources() -> Iterator[ProxyResource]:
        for name, held in out_of_step:
            yield ProxyResource(name, held, "new", ResourceState.STALE)
        yield ProxyResource("in step", "1", "1", ResourceState.SYNCED)

    return ProxyType(
        type_url,
        ProxyState.REJECTED if rejected else ProxyState.SYNCED,
        True,
        0,
        behind or len(out_of_step),
        "1",
        1.0,
        "1",
        1.0,
        "",
        tuple(RejectedResource(name, "new", reason) for name in rejected),
        resources=resources,
    )


def a_proxy(*types: ProxyType, node_id: str = "envoy-1") -> Proxy:
    """One stream."""
    return Proxy(node_id, "", "", "unix:", "delta", 1.0, 1, 1, ProxyState.SYNCED, types)


def rejecting(held: str, *more: ProxyType) -> Proxy:
    """A proxy that does not get the cluster, and holds that version of it."""
    return a_proxy(a_type(CLUSTER, (KEY.name, held), rejected=(KEY.name,)), *more)


def the_fault(*proxies: Proxy) -> Fault:
    """The only fault of those proxies."""
    (fault,) = faults(proxies)
    return fault


def test_proxies_that_reject_nothing_have_no_faults() -> None:
    """What is merely behind is no fault."""
    assert faults([a_proxy(a_type(CLUSTER, ("a", ""))), a_proxy(a_type(LISTENER))]) == ()


def test_a_fault_says_what_was_rejected_and_that_the_former_stays() -> None:
    """The reason is Envoy's own, on one line."""
    kind = a_type(CLUSTER, (KEY.name, "old"), rejected=(KEY.name,), reason="no such\n  filter")

    assert the_fault(a_proxy(kind)).sentence() == (
        "Cluster backend/ns/svc was rejected: no such filter; what was in force before stays in force"
    )


def test_a_fault_says_when_there_is_nothing_instead() -> None:
    """A resource that was never good has no former content."""
    fault = the_fault(rejecting(""))

    assert (fault.sentence(), fault.serving()) == (NOTHING, 0)


def test_proxies_that_hold_different_things_are_counted() -> None:
    """A proxy that came later has nothing where the others go on with what they had."""
    fault = the_fault(rejecting("old"), rejecting(""), rejecting("old"))

    assert (len(fault.lacking), fault.serving()) == (3, 2)
    assert fault.sentence().endswith("; 2 of 3 proxies go on with what was before, the others have nothing")


def test_older_routes_keep_an_api_up_whose_new_cluster_is_rejected() -> None:
    """Another caBundle is another cluster: until it is good, proxies keep the routes to the one before."""
    fault = the_fault(rejecting("", a_type(SCOPED_ROUTE, (SCOPE.name, "old"))))

    assert fault.sentence(SCOPE) == STAYS
    assert fault.sentence() == NOTHING


@pytest.mark.parametrize("routes", [(), ((SCOPE.name, ""),)], ids=["sent", "never sent"])
def test_routes_that_were_never_there_or_lead_to_the_rejected_cluster_keep_nothing_up(
    routes: tuple[tuple[str, str], ...],
) -> None:
    """Routes that are in step lead to what was rejected."""
    assert the_fault(rejecting("", a_type(SCOPED_ROUTE, *routes))).sentence(SCOPE) == NOTHING


def test_older_routes_are_no_help_without_a_secret() -> None:
    """Only a cluster has a predecessor under another name."""
    secret = a_type(SECRET, ("system-roots", ""), rejected=("system-roots",))

    assert the_fault(a_proxy(secret, a_type(SCOPED_ROUTE, (SCOPE.name, "old")))).serving(SCOPE) == 0


def test_faults_are_told_by_type_and_name_once_for_all_proxies() -> None:
    """Equal states give equal faults, in whatever order proxies connected."""
    listener = a_proxy(a_type(LISTENER, ("front-door", "old"), rejected=("front-door",)))
    proxies = [listener, rejecting("old"), listener]

    found = faults(proxies)

    assert [(fault.subject, len(fault.lacking)) for fault in found] == [
        ("Cluster backend/ns/svc", 1),
        ("Listener front-door", 2),
    ]
    assert faults(proxies[::-1]) == found


def test_proxies_far_behind_are_not_looked_at() -> None:
    """The fault is told all the same; what is in force instead is left open, or told of the others."""
    far = a_proxy(a_type(CLUSTER, (KEY.name, "old"), rejected=(KEY.name,), behind=20_001))

    assert the_fault(far).sentence() == "Cluster backend/ns/svc was rejected: bad CA"
    assert the_fault(far, rejecting("old")).sentence() == STAYS


@pytest.mark.parametrize(
    ("type_url", "name", "remedy"),
    [
        (SECRET, "serving", "mend the files of frontDoor.certificateFile and privateKeyFile"),
        (SECRET, "client-ca", "mend the file of frontDoor.clientCAFile, or that of authentication.requestHeader"),
        (SECRET, "front-proxy", "mend the files of frontProxy.certificateFile and privateKeyFile"),
        (SECRET, "system-roots", "mend the file of systemRootsFile"),
        (CLUSTER, "isthmus/core", "mend the settings under core"),
        (LISTENER, "front-door", "see whether that Envoy is of a version that is supported"),
    ],
)
def test_a_problem_says_what_to_do(type_url: str, name: str, remedy: str) -> None:
    """What can be mended is named by its setting."""
    problem = the_fault(a_proxy(a_type(type_url, (name, "old"), rejected=(name,)))).problem()

    assert problem.subject == f"{type_url.rpartition('.')[2]} {name}"
    assert problem.message == "was rejected: bad CA; what was in force before stays in force"
    assert problem.remedy.startswith(remedy)
    assert str(problem).startswith(f"proxies: {problem.subject}: was rejected: bad CA; ")
