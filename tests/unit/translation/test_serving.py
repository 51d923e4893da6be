"""Which resources serve a group-version."""

from __future__ import annotations

import pytest

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.model.topology import Api, Backend, BackendKey, Endpoint, Topology
from controlplane.registry.resolve import LOCAL, PASSED
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.serving import resources
from controlplane.translation.translate import Translator, everything

REFERENCE = ServiceReference("ns", "svc", 443)
GROUP_VERSION = GroupVersion("a.io", "v1")
CREDENTIALS = Credentials(KeyPair(b"chain", Secret(b"key")), b"ca", KeyPair(b"proxy", Secret(b"proxy-key")), b"roots")
TRANSLATOR = Translator(
    door=FrontDoor("127.0.0.1", 8443, Scripts("-", "-", "-", "-"), asks_for_client_certificates=True),
    authorization=Address.parse("unix:/run/authorization.sock"),
    discovery=Address.parse("127.0.0.1:18002"),
)


def an_api(backend: Backend | None, *, remote: bool = True) -> Api:
    """The group-version, on that backend."""
    service = ApiService(GROUP_VERSION, 1000, 10, REFERENCE if remote else None)
    return Api(service, PASSED if remote else LOCAL, backend.key if backend else None)


@pytest.mark.parametrize("dns", [False, True])
@pytest.mark.parametrize("trust", ["system", "insecure", "0" * 64])
def test_everything_that_is_made_for_an_api_or_leaned_on_serves_it(trust: str, dns: bool) -> None:
    """What translation makes for the only API, and whatever that references, is named; the front door's is not."""
    bundle = b"pem" if trust.startswith("0") else b""
    place = Endpoint("svc.ns.svc" if dns else "10.0.0.1", 443)
    backend = Backend(BackendKey(REFERENCE, trust), "svc.ns.svc", (place,), dns=dns, ca_bundle=bundle)
    api = an_api(backend)
    topology = Topology(apis={GROUP_VERSION: api}, backends={backend.key: backend}, credentials=CREDENTIALS)
    made = TRANSLATOR.translate(topology, everything(topology)).upserts
    own = [resource for resource in made if resource.key.type_url in {CLUSTER, ENDPOINTS, SCOPED_ROUTE}]

    serving = set(resources(api))

    assert len(own) == (2 if dns else 3)
    assert {resource.key for resource in own} <= serving
    assert frozenset().union(*(resource.references | resource.children for resource in own)) <= serving
    assert (ResourceName(SECRET, names.SYSTEM_ROOTS_SECRET) in serving) is (trust == "system")
    assert serving.isdisjoint(
        {
            ResourceName(SECRET, names.SERVING_SECRET),
            ResourceName(SECRET, names.CLIENT_CA_SECRET),
            ResourceName(LISTENER, names.LISTENER),
            ResourceName(CLUSTER, names.AUTHORIZATION_CLUSTER),
        }
    )


def test_an_api_without_a_backend_has_its_scope_alone() -> None:
    """The scope answers 503 by itself."""
    assert resources(an_api(None)) == (ResourceName(SCOPED_ROUTE, "a.io/v1"),)


def test_a_local_api_is_served_by_the_core() -> None:
    """It has no scope of its own."""
    serving = resources(an_api(None, remote=False))

    assert serving == (
        ResourceName(SCOPED_ROUTE, "core"),
        ResourceName(CLUSTER, "isthmus/core"),
        ResourceName(ENDPOINTS, "isthmus/core"),
    )
