"""Status of registrations, as the StatusService and the table say it."""

from types import MappingProxyType

from controlplane.admin.status import response
from controlplane.cli.status import table
from controlplane.model.apiservice import ApiService, Condition, ConditionStatus, GroupVersion, ServiceReference
from controlplane.model.problem import Origin, Problem
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology
from controlplane.registry.resolve import LOCAL, PASSED

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


def test_the_table_says_what_is_served_where_and_why_the_rest_is_not() -> None:
    """Columns as in `kubectl get apiservices`, sorted by name."""
    topology = a_topology(
        an_api("b.io", MISSING), an_api("apps", LOCAL, remote=False), an_api("a.io", PASSED, backend=BACKEND)
    )

    assert table(response(topology, ()).api_services).splitlines() == [
        "NAME      SERVICE   AVAILABLE                   ENDPOINTS",
        "v1.a.io   ns/svc    True                        10.0.0.1:6443,[fd00::1]:6443",
        "v1.apps   Local     True                        <none>",
        "v1.b.io   ns/svc    False (EndpointsNotFound)   <none>",
    ]


def test_problems_are_told_in_the_order_of_their_places() -> None:
    """Equal states give equal responses, whatever order problems came up in."""
    one = Problem(Origin("a.yaml", 1), "Service ns/svc", "spec.ports", "Required value", "list a port")
    other = Problem(Origin("b.yaml"), "", "", "is not YAML", "mend it")

    told = response(Topology(), [other, one])

    assert [problem.path for problem in told.problems] == ["a.yaml", "b.yaml"]
    assert told.SerializeToString() == response(Topology(), [one, other]).SerializeToString()
    assert told.generation == 0
