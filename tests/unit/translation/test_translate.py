"""Translation: one change is few resources, equal inputs are equal bytes, and names never collide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.route.v3 import scoped_route_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from controlplane.model.apiservice import ApiService, Condition, GroupVersion, ServiceReference
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE, SECRET, EnvoyResource, ResourceName
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology, Touched
from controlplane.registry.resolve import LOCAL, PASSED
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator, everything

REFERENCE = ServiceReference("ns", "svc", 443)
CREDENTIALS = Credentials(KeyPair(b"chain", Secret(b"key")), b"ca", KeyPair(b"proxy", Secret(b"proxy-key")), b"roots")
TRANSLATOR = Translator(
    door=FrontDoor(
        "127.0.0.1",
        8443,
        Scripts("-- verdicts", "-- scope", "-- arrival", "-- identity"),
        asks_for_client_certificates=True,
    ),
    authorization=Address.parse("unix:/run/authorization.sock"),
    discovery=Address.parse("127.0.0.1:18002"),
)


def a_backend(trust: str = "system", *, dns: bool = False, ca_bundle: bytes = b"") -> Backend:
    """The backend of ns/svc:443."""
    endpoint = Endpoint("svc.ns.svc", 443) if dns else Endpoint("10.0.0.1", 6443)
    return Backend(BackendKey(REFERENCE, trust), "svc.ns.svc", (endpoint,), dns=dns, ca_bundle=ca_bundle)


def an_api(group: str, backend: Backend | None, condition: Condition = PASSED) -> Api:
    """A group-version that goes to that backend."""
    service = ApiService(GroupVersion(group, "v1"), 1000, 10, REFERENCE)
    return Api(service, condition, backend.key if backend else None)


def a_topology(*apis: Api, backends: tuple[Backend, ...] = (), core: Backend | None = None) -> Topology:
    """A topology with credentials."""
    return Topology(
        generation=1,
        apis={api.service.group_version: api for api in apis},
        backends={backend.key: backend for backend in backends},
        core=core,
        credentials=CREDENTIALS,
    )


def by_type(resources: tuple[EnvoyResource, ...], type_url: str) -> dict[str, EnvoyResource]:
    """The resources of one type by name."""
    return {resource.key.name: resource for resource in resources if resource.key.type_url == type_url}


def test_one_apiservice_is_one_scope_one_cluster_and_one_load_assignment() -> None:
    """Adding an APIService on a new backend makes three resources, however many are registered."""
    backend = a_backend()
    others = [an_api(f"g{number}.io", None) for number in range(50)]
    added = an_api("new.io", backend)
    topology = a_topology(*others, added, backends=(backend,))

    translation = TRANSLATOR.translate(
        topology, Touched(frozenset((added.service.group_version,)), frozenset((backend.key,)))
    )

    assert [resource.key.type_url for resource in translation.upserts] == [CLUSTER, ENDPOINTS, SCOPED_ROUTE]
    assert translation.removals == ()


def test_a_second_group_version_on_a_known_backend_is_one_scope() -> None:
    """A known backend needs no cluster again."""
    backend = a_backend()
    api = an_api("a.io", backend)

    translation = TRANSLATOR.translate(
        a_topology(api, backends=(backend,)), Touched(frozenset((api.service.group_version,)))
    )

    assert [resource.key.type_url for resource in translation.upserts] == [SCOPED_ROUTE]


def test_what_is_gone_is_removed_by_name() -> None:
    """A group-version and a backend that are touched and not in the topology are removals."""
    backend = a_backend()

    translation = TRANSLATOR.translate(
        a_topology(), Touched(frozenset((GroupVersion("a.io", "v1"),)), frozenset((backend.key,)))
    )

    assert translation.upserts == ()
    cluster = names.backend_cluster(backend.key)
    assert {
        ResourceName(CLUSTER, cluster),
        ResourceName(ENDPOINTS, cluster),
        ResourceName(SCOPED_ROUTE, "a.io/v1"),
    } == set(translation.removals)


def test_a_backend_that_turns_to_names_drops_its_load_assignment() -> None:
    """Envoy resolves a cluster of names by itself, so the load assignment of before goes."""
    backend = a_backend(dns=True)

    translation = TRANSLATOR.translate(a_topology(backends=(backend,)), Touched(backends=frozenset((backend.key,))))

    assert [resource.key.type_url for resource in translation.upserts] == [CLUSTER]
    assert (ResourceName(ENDPOINTS, names.backend_cluster(backend.key)),) == translation.removals


def test_a_local_apiservice_has_no_scope() -> None:
    """What the core API server serves itself goes there like any other path."""
    service = ApiService(GroupVersion("apps", "v1"), 17800, 15)

    translation = TRANSLATOR.translate(
        a_topology(Api(service, LOCAL)), Touched(apis=frozenset((service.group_version,)))
    )

    assert translation.upserts == ()
    assert (ResourceName(SCOPED_ROUTE, "apps/v1"),) == translation.removals


def test_an_unavailable_api_answers_503_by_itself() -> None:
    """Missing and Unknown conditions count as unavailable: the scope holds direct responses and no cluster."""
    backend = a_backend()
    api = an_api("a.io", backend, Condition())

    resources = TRANSLATOR.translate(
        a_topology(api, backends=(backend,)), Touched(frozenset((api.service.group_version,)))
    ).upserts

    scope = scoped_route_pb2.ScopedRouteConfiguration.FromString(resources[0].body)
    routes = scope.route_configuration.virtual_hosts[0].routes
    assert [route.direct_response.status for route in routes] == [503, 503]
    assert frozenset() == resources[0].references


def test_a_registered_api_says_neither_where_to_go_nor_who_may_read() -> None:
    """Location, and what opens an answer to pages of other origins, are removed from its answers."""
    backend = a_backend()
    api = an_api("a.io", backend)

    resources = TRANSLATOR.translate(
        a_topology(api, backends=(backend,)), Touched(frozenset((api.service.group_version,)))
    ).upserts

    scope = scoped_route_pb2.ScopedRouteConfiguration.FromString(resources[0].body)
    allowed = {f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin")}
    assert {"location", *allowed} == set(scope.route_configuration.response_headers_to_remove)


def test_every_route_has_a_name() -> None:
    """scope.lua takes a route without a name for no route at all."""
    backend = a_backend()
    topology = a_topology(an_api("a.io", backend), an_api("b.io", None, Condition()), backends=(backend,), core=backend)

    resources = (*TRANSLATOR.fixed(topology).upserts, *TRANSLATOR.translate(topology, everything(topology)).upserts)

    scopes = [
        scoped_route_pb2.ScopedRouteConfiguration.FromString(resource.body)
        for resource in by_type(resources, SCOPED_ROUTE).values()
    ]
    assert len(scopes) == 3
    assert all(route.name for scope in scopes for route in scope.route_configuration.virtual_hosts[0].routes)


def test_an_endpoint_change_leaves_the_cluster_bytes_alone() -> None:
    """Endpoints are in the load assignment only."""
    one, other = a_backend(), a_backend()
    other = Backend(one.key, one.server_name, (Endpoint("10.0.0.2", 6443),), dns=False)
    touched = Touched(backends=frozenset((one.key,)))

    before = TRANSLATOR.translate(a_topology(backends=(one,)), touched).upserts
    after = TRANSLATOR.translate(a_topology(backends=(other,)), touched).upserts

    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_scope_leans_on_its_cluster_and_a_cluster_on_its_secrets_and_load_assignment() -> None:
    """References and children say what make-before-break has to wait for and send again."""
    backend = a_backend()
    api = an_api("a.io", backend)
    topology = a_topology(api, backends=(backend,))

    resources = TRANSLATOR.translate(topology, everything(topology)).upserts

    cluster_name = names.backend_cluster(backend.key)
    cluster = by_type(resources, CLUSTER)[cluster_name]
    assert frozenset((cluster.key,)) == by_type(resources, SCOPED_ROUTE)["a.io/v1"].references
    assert frozenset((ResourceName(ENDPOINTS, cluster_name),)) == cluster.children
    assert cluster.references == frozenset(
        (
            ResourceName(SECRET, names.FRONT_PROXY_SECRET),
            ResourceName(SECRET, names.SYSTEM_ROOTS_SECRET),
            ResourceName(CLUSTER, names.FRONT_PROXY_CLUSTER),
        )
    )


@pytest.mark.parametrize(
    ("backend", "roots", "verifies"),
    [
        (a_backend("0123", ca_bundle=b"PEM"), b"PEM", True),
        (a_backend("system"), b"", True),
        (a_backend("insecure"), b"", False),
    ],
)
def test_trust_decides_how_the_backend_is_verified(backend: Backend, roots: bytes, verifies: bool) -> None:
    """A caBundle is in the cluster, system roots come by SDS, and insecureSkipTLSVerify checks nothing at all."""
    resources = TRANSLATOR.translate(
        a_topology(backends=(backend,)), Touched(backends=frozenset((backend.key,)))
    ).upserts

    tls = tls_pb2.UpstreamTlsContext()
    cluster_pb2.Cluster.FromString(resources[0].body).transport_socket.typed_config.Unpack(tls)
    common = tls.common_tls_context
    context = common.combined_validation_context.default_validation_context if not roots else common.validation_context
    assert tls.sni == "svc.ns.svc"
    assert roots == context.trusted_ca.inline_bytes
    assert (["svc.ns.svc"] if verifies else []) == [san.matcher.exact for san in context.match_typed_subject_alt_names]
    assert [item.name for item in common.tls_certificate_sds_secret_configs] == [names.FRONT_PROXY_SECRET]


def test_clusters_of_different_trust_have_different_names() -> None:
    """Two trusts never share a connection pool."""
    trusts = ["system", "insecure", "0" * 64, "1" * 64]

    assert len(trusts) == len({names.backend_cluster(BackendKey(REFERENCE, trust)) for trust in trusts})


def test_load_assignments_hold_every_endpoint() -> None:
    """All endpoints of the backend, in order."""
    endpoints = tuple(Endpoint(f"10.0.0.{number}", 6443) for number in range(1, 4))
    backend = Backend(BackendKey(REFERENCE, "system"), "svc.ns.svc", endpoints, dns=False)

    resources = TRANSLATOR.translate(
        a_topology(backends=(backend,)), Touched(backends=frozenset((backend.key,)))
    ).upserts

    assignment = endpoint_pb2.ClusterLoadAssignment.FromString(resources[1].body)
    sockets = [item.endpoint.address.socket_address for item in assignment.endpoints[0].lb_endpoints]
    assert [(e.address, e.port) for e in endpoints] == [(socket.address, socket.port_value) for socket in sockets]


def test_the_core_s_cluster_follows_its_authority() -> None:
    """What is sent when it is touched is what is sent at the start, with the authority of now."""
    before, after = (a_topology(core=a_backend(ca_bundle=roots)) for roots in (b"one", b"two"))

    sent = TRANSLATOR.translate(after, Touched(core=True)).upserts

    assert [each for each in TRANSLATOR.fixed(after).upserts if each not in TRANSLATOR.fixed(before).upserts] == [
        each for each in sent if each.key.type_url == CLUSTER
    ]
    assert TRANSLATOR.translate(replace(after, core=None), Touched(core=True)).upserts == ()


def test_secrets_that_are_not_configured_are_not_sent() -> None:
    """Without client CA, front-proxy certificate and roots there is the serving certificate alone."""
    topology = Topology(credentials=Credentials(KeyPair(b"chain", Secret(b"key"))))

    resources = TRANSLATOR.translate(topology, Touched(credentials=True)).upserts

    assert [ResourceName(SECRET, names.SERVING_SECRET)] == [resource.key for resource in resources]


def test_equal_inputs_give_equal_bytes() -> None:
    """Every replica computes the same versions, whatever order things were registered in."""
    backend = a_backend()
    apis = [an_api("a.io", backend), an_api("b.io", backend)]
    one, other = (a_topology(*order, backends=(backend,)) for order in (apis, apis[::-1]))

    assert TRANSLATOR.translate(one, everything(one)) == TRANSLATOR.translate(other, everything(other))
    assert TRANSLATOR.fixed(one) == TRANSLATOR.fixed(other)
