"""Status of registrations, as the StatusService and the table say it."""

from __future__ import annotations

from types import MappingProxyType

from controlplane.admin.status import response
from controlplane.cli.status import table
from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.problem import Origin, Problem
from controlplane.model.proxy import Proxy, ProxyResource, ProxyState, ProxyType, RejectedResource, ResourceState
from controlplane.model.resource import CLUSTER, LISTENER, SECRET, ResourceName
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology
from controlplane.registry.resolve import LOCAL, PASSED
from controlplane.translation import names
from controlplane.xds.status import Withheld

REFERENCE = ServiceReference("ns", "svc", 443)
BACKEND = Backend(
    BackendKey(REFERENCE, "system"),
    "svc.ns.svc",
    (Endpoint("10.0.0.1", 6443), Endpoint("fd00::1", 6443)),
    dns=False,
)
MISSING = Condition(ConditionStatus.FALSE, "EndpointsNotFound", "cannot find endpointslices")


def an_api(group: str, condition: Condition, *, remote: bool = True, backend: Backend | None = None) -> Api:
    """A registered group-version."""
    service = ApiService(GroupVersion(group, "v1"), 1000, 10, REFERENCE if remote else None)
    return Api(service, condition, backend.key if backend else None)


def a_topology(*apis: Api) -> Topology:
    """A topology with one backend."""
    by_name = {api.service.group_version: api for api in apis}
    return Topology(generation=7, apis=MappingProxyType(by_name), backends=MappingProxyType({BACKEND.key: BACKEND}))


def a_proxy(*rejected: tuple[str, str], held: str = "old") -> Proxy:
    """A stream whose proxy rejected resources of these types and names, and holds that version of each."""
    types = tuple(
        ProxyType(
            type_url,
            ProxyState.REJECTED,
            True,
            0,
            1,
            "1",
            1.0,
            "1",
            1.0,
            "",
            (RejectedResource(name, "new", "bad CA"),),
            resources=lambda name=name: [ProxyResource(name, held, "new", ResourceState.REJECTED, "bad CA")],
        )
        for type_url, name in rejected
    )
    return Proxy("envoy-1", "", "", "unix:", "delta", 1.0, 1, 1, ProxyState.SYNCED, types)


IN_STEP = a_proxy()
THE_CLUSTER = (CLUSTER, names.backend_cluster(BACKEND.key))


def test_the_table_says_what_is_served_where_and_why_the_rest_is_not() -> None:
    """Columns as in `kubectl get apiservices`, sorted by name."""
    topology = a_topology(
        an_api("b.io", MISSING), an_api("apps", LOCAL, remote=False), an_api("a.io", PASSED, backend=BACKEND)
    )

    assert table(response(topology, (), [IN_STEP], ())).splitlines() == [
        "NAME      SERVICE   AVAILABLE                   PROGRAMMED   ENDPOINTS",
        "v1.a.io   ns/svc    True                        True         10.0.0.1:6443,[fd00::1]:6443",
        "v1.apps   Local     True                        True         <none>",
        "v1.b.io   ns/svc    False (EndpointsNotFound)   True         <none>",
    ]


def test_what_proxies_reject_is_told_of_the_apis_it_serves_and_of_no_other() -> None:
    """The table says which, and below it why; APIs that share a backend share the line."""
    topology = a_topology(
        an_api("b.io", PASSED, backend=BACKEND), an_api("a.io", PASSED, backend=BACKEND), an_api("c.io", MISSING)
    )

    *columns, reason = table(response(topology, (), [IN_STEP, a_proxy(THE_CLUSTER)], ())).splitlines()

    assert columns == [
        "NAME      SERVICE   AVAILABLE                   PROGRAMMED         ENDPOINTS",
        "v1.a.io   ns/svc    True                        False (Rejected)   10.0.0.1:6443,[fd00::1]:6443",
        "v1.b.io   ns/svc    True                        False (Rejected)   10.0.0.1:6443,[fd00::1]:6443",
        "v1.c.io   ns/svc    False (EndpointsNotFound)   True               <none>",
    ]
    assert reason == (
        "v1.a.io and 1 more: Cluster backend/ns/svc/443/system was rejected: bad CA; "
        "what was in force before stays in force"
    )


def test_an_api_that_proxies_cannot_serve_is_not_available() -> None:
    """With nothing good to fall back to, the backend's own health is of no use to anybody."""
    topology = a_topology(an_api("a.io", PASSED, backend=BACKEND))

    (told,) = response(topology, (), [a_proxy(THE_CLUSTER, held="")], ()).api_services

    assert (told.available, told.reason) == ("False", "NotProgrammed")
    assert (told.programmed, told.programmed_reason) == ("False", "Rejected")
    assert told.message == told.programmed_message
    assert told.message.endswith("was rejected: bad CA; there is nothing older that could stay in force")


def test_what_is_unavailable_keeps_its_own_reason() -> None:
    """An API without endpoints whose routes are rejected has both to say."""
    topology = a_topology(an_api("b.io", MISSING))
    scope = ("type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration", "b.io/v1")

    (told,) = response(topology, (), [a_proxy(scope, held="")], ()).api_services

    assert (told.available, told.reason) == ("False", "EndpointsNotFound")
    assert (told.programmed, told.programmed_reason) == ("False", "Rejected")


def test_everything_rejected_that_serves_an_api_is_told() -> None:
    """A cluster and the roots it trusts are two reasons."""
    topology = a_topology(an_api("a.io", PASSED, backend=BACKEND))

    (told,) = response(topology, (), [a_proxy(THE_CLUSTER, (SECRET, "system-roots"))], ()).api_services

    assert told.programmed_message.count("was rejected: bad CA") == 2
    assert "Secret system-roots" in told.programmed_message


def test_what_serves_no_api_is_a_problem() -> None:
    """The front door's own secrets and listener are nobody's; what is told of an API is not told again."""
    topology = a_topology(an_api("a.io", PASSED, backend=BACKEND))
    proxy = a_proxy((LISTENER, "front-door"), (SECRET, "serving"), THE_CLUSTER)

    told = response(topology, (), [proxy], ())

    assert [(problem.path, problem.subject) for problem in told.problems] == [
        ("proxies", "Listener front-door"),
        ("proxies", "Secret serving"),
    ]
    assert ResourceName(*THE_CLUSTER).name in told.api_services[0].programmed_message


def test_without_proxies_nothing_is_known() -> None:
    """Nobody has taken anything, and nobody has rejected anything."""
    (told,) = response(a_topology(an_api("a.io", PASSED)), (), (), ()).api_services

    assert (told.available, told.programmed, told.programmed_reason) == ("True", "Unknown", "NoProxies")


def test_withheld_removals_are_problems() -> None:
    """They stand beside what is wrong with registrations, in the order of places."""
    told = response(Topology(), (), [IN_STEP], [Withheld("envoy-1", "", CLUSTER, 900, 1000)])

    assert [problem.message for problem in told.problems] == [
        "900 of 1,000 Cluster resources would go from proxy envoy-1; they are kept until confirmed"
    ]


def test_problems_are_told_in_the_order_of_their_places() -> None:
    """Equal states give equal responses, whatever order problems came up in."""
    one = Problem(Origin("a.yaml", 1), "Service ns/svc", "spec.ports", "Required value", "list a port")
    other = Problem(Origin("b.yaml"), "", "", "is not YAML", "mend it")

    told = response(Topology(), [other, one], (), ())

    assert [problem.path for problem in told.problems] == ["a.yaml", "b.yaml"]
    assert told.SerializeToString() == response(Topology(), [one, other], (), ()).SerializeToString()
    assert told.generation == 0
