"""Which route Envoy takes, read from scoped route configurations."""

from __future__ import annotations

import pytest

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint
from controlplane.registry.resolve import PASSED
from controlplane.translation import names, routes
from controlplane.translation.selection import Selected, group_version_of, normalised, select

KEY = BackendKey(ServiceReference("ns", "svc"), "system")
BACKEND = Backend(KEY, "svc.ns.svc", (Endpoint("10.0.0.7", 8443),), dns=False)
SERVED = Api(ApiService(GroupVersion("a.io", "v1"), 1000, 10, KEY.service), PASSED, KEY)
CLUSTER = names.backend_cluster(KEY)


def chosen(target: str, *, api: Api = SERVED, backend: Backend | None = BACKEND, core: bool = False) -> Selected | None:
    """The route where a.io/v1 is registered."""
    resources = [routes.api_resource(api, backend), routes.core_resource(BACKEND if core else None)]
    bodies = {resource.key.name: resource.body for resource in resources}
    return select(target, bodies.get)


@pytest.mark.parametrize(
    ("target", "scope", "name", "cluster"),
    [
        ("/apis/a.io/v1", "a.io/v1", "discovery", CLUSTER),
        ("/apis/a.io/v1/", "a.io/v1", "api", CLUSTER),
        ("/apis/a.io/v1/things?watch=1", "a.io/v1", "api", CLUSTER),
        ("/openapi/v3/apis/a.io/v1?hash=x", "a.io/v1", "openapi", CLUSTER),
        ("/openapi/v3/apis/b.io/v1", "core", "not-found", ""),
        ("/elsewhere/a.io/v1/things", "core", "not-found", ""),
        ("/apis/a.io/v2/things", "core", "not-found", ""),
        ("/apis", "core", "isthmus/apis", names.DISCOVERY_CLUSTER),
        ("/apis/a.io", "core", "isthmus/apis/group", names.DISCOVERY_CLUSTER),
        ("/readyz", "core", "isthmus/readyz", names.DISCOVERY_CLUSTER),
    ],
)
def test_the_first_route_that_fits_is_chosen(target: str, scope: str, name: str, cluster: str) -> None:
    """In the scope of path elements 2 and 3, then in that of the document, then in that of everything unregistered."""
    selected = chosen(target)

    assert selected is not None
    assert (scope, name, cluster) == (selected.scope, selected.name, selected.cluster)


def test_a_core_api_server_takes_the_rest() -> None:
    """With one, what is not registered goes there, without an end."""
    selected = chosen("/api/v1/pods", core=True)

    assert selected is not None
    assert ("core", names.CORE_CLUSTER, 0.0) == (selected.name, selected.cluster, selected.seconds)


def test_what_envoy_answers_by_itself_has_no_cluster() -> None:
    """An unavailable API's route is a reply, with its status and message."""
    assert chosen("/apis/a.io/v1/things", backend=None) == Selected(
        "a.io/v1", "unavailable", status=503, message="service unavailable"
    )


def test_discovery_of_a_backend_may_take_five_seconds() -> None:
    """Time limit and retries are those of the route."""
    selected = chosen("/apis/a.io/v1")

    assert selected is not None
    assert (5.0, 2) == (selected.seconds, selected.retries)


def test_before_the_first_resources_there_is_no_route() -> None:
    """Not even that of everything unregistered."""
    assert select("/apis/a.io/v1", lambda _: None) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/apis/a.io/v1?x=//..", "/apis/a.io/v1?x=//.."),
        ("//apis///a.io/v1/", "/apis/a.io/v1/"),
        ("/x/../apis/./a.io", "/apis/a.io"),
        ("/x/%2e%2E/apis", "/apis"),
        ("/x/..", "/"),
        ("/..", "/"),
        ("/%61pis/%7Ea%20", "/apis/~a%20"),
        ("/a%2Fb", None),
        ("/a%5cb", None),
        ("/a#b", None),
        ("apis", "apis"),
    ],
)
def test_a_path_is_normalised_once(target: str, expected: str | None) -> None:
    """Dots, empty segments and needless escapes go; an escaped slash is refused; the query stays."""
    assert expected == normalised(target)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/a.io/v1/things", GroupVersion("a.io", "v1")),
        ("/openapi/v3/apis/a.io/v1", GroupVersion("a.io", "v1")),
        ("/api/v1/pods", GroupVersion("", "v1")),
        ("/apis/a.io", None),
        ("/apis/a.io/", None),
        ("/api", None),
        ("/", None),
    ],
)
def test_the_first_segments_say_which_group_version(path: str, expected: GroupVersion | None) -> None:
    """Of a resource, of a document, of the core group, or none."""
    assert expected == group_version_of(path)
