"""The registry's tables: identity of what did not change, and the exact set of what did."""

from dataclasses import replace

import pytest

from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import Change, CredentialsChanged, Delete, ObjectKey, Upsert
from controlplane.model.credentials import ClientAuthorities, Credentials, KeyPair, Secret
from controlplane.model.rbac import PolicyRule, Role, RoleKey
from controlplane.model.revocations import Revocations
from controlplane.model.service import EndpointSlice, Service, ServiceName, ServicePort, SliceEndpoint, SlicePort
from controlplane.model.topology import Backend, BackendKey, Touched
from controlplane.registry.resolve import trust_of
from controlplane.registry.store import Registry


def a_registry() -> Registry:
    """An empty registry."""
    return Registry(dns_template="{name}.{namespace}.svc", core=None)


def an_api(group: str, service: str = "bar", version: str = "v1") -> Upsert:
    """An APIService served by foo/<service>:443 with the system's roots."""
    api = ApiService(GroupVersion(group, version), 1000, 10, ServiceReference("foo", service, 443))
    return Upsert(ObjectKey("APIService", "", api.name), api)


def a_service(name: str = "bar") -> Upsert:
    """A ClusterIP Service."""
    service = Service(ServiceName("foo", name), ports=(ServicePort("https", 443),))
    return Upsert(ObjectKey("Service", "foo", name), service)


def a_slice(*addresses: str, service: str = "bar") -> Upsert:
    """A slice of that Service."""
    endpoints = tuple(SliceEndpoint((address,)) for address in addresses)
    item = EndpointSlice("foo", "s", ServiceName("foo", service), "IPv4", endpoints, (SlicePort("https", 6443),))
    return Upsert(ObjectKey("EndpointSlice", "foo", "s"), item)


def a_role(*verbs: str) -> Upsert:
    """A ClusterRole with one rule."""
    role = Role(RoleKey("", "r"), (PolicyRule(verbs=verbs, api_groups=("*",), resources=("*",)),))
    return Upsert(ObjectKey("ClusterRole", "", "r"), role)


def removed(change: Upsert) -> Delete:
    """The deletion of what that change brought."""
    return Delete(change.key)


def backend_key(service: str = "bar") -> BackendKey:
    """The backend of foo/<service>:443 with the system's roots."""
    return BackendKey(ServiceReference("foo", service, 443), "system")


def test_a_batch_that_changes_nothing_gives_the_same_topology() -> None:
    """Equal objects again are no generation."""
    registry = a_registry()
    first = registry.apply([an_api("a.io"), a_service(), a_slice("10.0.0.1")])

    assert first is registry.apply([an_api("a.io"), a_service(), a_slice("10.0.0.1")])


def test_one_more_apiservice_touches_itself_alone() -> None:
    """What did not change is the identical object, and touched names only the new group-version and backend."""
    registry = a_registry()
    before = registry.apply([an_api("a.io"), an_api("b.io", "baz")])

    after = registry.apply([an_api("c.io", "qux")])

    assert Touched(frozenset((GroupVersion("c.io", "v1"),)), frozenset((backend_key("qux"),))) == after.touched
    assert before.apis[GroupVersion("a.io", "v1")] is after.apis[GroupVersion("a.io", "v1")]
    assert before.backends[backend_key("baz")] is after.backends[backend_key("baz")]
    assert before.generation + 1 == after.generation


def test_group_versions_of_one_service_share_one_backend() -> None:
    """A second version on a known backend touches no backend."""
    registry = a_registry()
    registry.apply([an_api("a.io")])

    after = registry.apply([an_api("a.io", version="v2")])

    assert Touched(apis=frozenset((GroupVersion("a.io", "v2"),))) == after.touched
    assert [backend_key()] == list(after.backends)


def test_a_backend_goes_with_its_last_group_version() -> None:
    """As long as one group-version uses a backend it stays."""
    registry = a_registry()
    first, second = an_api("a.io"), an_api("b.io")
    registry.apply([first, second])

    one_left = registry.apply([removed(first)])
    none_left = registry.apply([removed(second)])

    assert [backend_key()] == list(one_left.backends)
    assert none_left.backends == {}
    assert frozenset((backend_key(),)) == none_left.touched.backends


def test_a_backend_handed_over_in_one_batch_is_not_touched() -> None:
    """When one group-version leaves a backend and another takes it in the same batch, nothing happens to it."""
    registry = a_registry()
    leaving = an_api("z.io")
    before = registry.apply([leaving])

    after = registry.apply([removed(leaving), an_api("a.io")])

    assert frozenset() == after.touched.backends
    assert before.backends[backend_key()] is after.backends[backend_key()]


def test_endpoints_alone_touch_the_backend_alone() -> None:
    """A change of endpoints leaves the group-version's value as it was."""
    registry = a_registry()
    registry.apply([an_api("a.io"), a_service(), a_slice("10.0.0.1")])

    after = registry.apply([a_slice("10.0.0.2")])

    assert Touched(backends=frozenset((backend_key(),))) == after.touched


def test_losing_all_endpoints_makes_the_api_unavailable_and_drops_the_backend() -> None:
    """Without endpoints there is nothing to route to; the APIService says why."""
    registry = a_registry()
    registry.apply([an_api("a.io"), a_service(), a_slice("10.0.0.1")])

    after = registry.apply([a_slice()])

    api = after.apis[GroupVersion("a.io", "v1")]
    assert api.condition.reason == "MissingEndpoints"
    assert api.backend is None
    assert after.backends == {}


def test_a_moved_service_changes_the_backend_of_the_group_version() -> None:
    """Repointing an APIService touches it, the backend it takes and the one it leaves."""
    registry = a_registry()
    registry.apply([an_api("a.io", "old")])

    after = registry.apply([an_api("a.io", "new")])

    assert frozenset((backend_key("old"), backend_key("new"))) == after.touched.backends
    assert [backend_key("new")] == list(after.backends)


def test_a_slice_that_moves_to_another_service_leaves_the_first() -> None:
    """The slice's label decides; its former Service loses the endpoints."""
    registry = a_registry()
    registry.apply([an_api("a.io"), a_service(), a_service("baz"), a_slice("10.0.0.1")])

    after = registry.apply([a_slice("10.0.0.1", service="baz")])

    assert after.apis[GroupVersion("a.io", "v1")].condition.reason == "EndpointsNotFound"


def test_policy_changes_only_with_what_it_holds() -> None:
    """A role changes the policy's generation once; APIServices leave the identical policy."""
    registry = a_registry()
    first = registry.apply([a_role("get")])

    same = registry.apply([an_api("a.io"), a_role("get")])
    other = registry.apply([a_role("list")])

    assert first.policy is same.policy
    assert not same.touched.policy
    assert first.policy.generation + 1 == other.policy.generation
    assert other.touched.policy


def test_credentials_are_touched_only_when_they_differ() -> None:
    """Reading the same certificates again changes nothing."""
    registry = a_registry()
    credentials = Credentials(KeyPair(b"cert", Secret(b"key")))
    changes: list[Change] = [CredentialsChanged(credentials)]
    first = registry.apply(changes)

    assert first.touched.credentials
    assert first is registry.apply([CredentialsChanged(Credentials(KeyPair(b"cert", Secret(b"key"))))])


def test_the_core_is_trusted_by_the_authority_in_force() -> None:
    """Another one is another backend at the same place; credentials with the same one leave it the identical object."""
    core = Backend(
        BackendKey(ServiceReference("", "core", 6443), trust_of(b"one", insecure=False)), "kube", (), dns=False
    )
    registry = Registry(dns_template="{name}.{namespace}.svc", core=replace(core, ca_bundle=b"one"))
    chain = [KeyPair(each, Secret(b"key")) for each in (b"first", b"second", b"third")]
    first = registry.apply([CredentialsChanged(Credentials(chain[0], core_ca=b"one"))])
    same = registry.apply([CredentialsChanged(Credentials(chain[1], core_ca=b"one"))])
    other = registry.apply([CredentialsChanged(Credentials(chain[1], core_ca=b"two"))])

    assert first.core is same.core
    assert not same.touched.core
    assert other.touched == Touched(credentials=True, core=True)
    assert other.core == replace(core, key=replace(core.key, trust=trust_of(b"two", insecure=False)), ca_bundle=b"two")


def test_a_core_that_no_file_is_for_stays_as_it_is() -> None:
    """By the system's roots, without verification, or without TLS: the settings alone say so."""
    core = Backend(BackendKey(ServiceReference("", "core", 6443), "insecure"), "kube", (), dns=False)
    registry = Registry(dns_template="{name}.{namespace}.svc", core=core)

    assert core is registry.apply([CredentialsChanged(Credentials(KeyPair(b"cert", Secret(b"key"))))]).core


def test_deleting_what_is_not_there_changes_nothing() -> None:
    """A deletion of an unknown object is no change."""
    registry = a_registry()
    before = registry.apply([an_api("a.io")])

    assert before is registry.apply([Delete(ObjectKey("APIService", "", "v1.nope.io"))])


def credentials_with(
    client_ca: bytes, chain: bytes = b"chain", request_header_ca: bytes = b"proxies"
) -> CredentialsChanged:
    """Certificates with those authorities of clients."""
    serving = KeyPair(chain, Secret(b"key"))
    return CredentialsChanged(Credentials(serving, client_ca=client_ca, request_header_ca=request_header_ca))


@pytest.mark.parametrize("other", [credentials_with(b"two"), credentials_with(b"one", request_header_ca=b"others")])
def test_other_authorities_of_clients_take_every_verdict_back(other: CredentialsChanged) -> None:
    """Who was believed may not be any more; a renewed serving certificate changes nothing about it."""
    registry = a_registry()
    first = registry.apply([credentials_with(b"one"), a_role("get")]).policy
    renewed = registry.apply([credentials_with(b"one", b"renewed")]).policy
    changed = registry.apply([other]).policy

    assert renewed is first
    assert first.revocations == Revocations()
    assert (first.generation + 1, Revocations(first.generation + 1)) == (changed.generation, changed.revocations)
    assert (first.authorities, changed.authorities) == (
        ClientAuthorities(b"one", b"proxies"),
        other.credentials.client_authorities,
    )
    assert changed.roles is first.roles


def test_authorities_that_came_first_are_in_the_first_policy() -> None:
    """Certificates alone make no policy; the first one has what is known by then, and takes nothing back."""
    registry = a_registry()
    before = registry.apply([credentials_with(b"one")]).policy
    first = registry.apply([a_role("get")]).policy

    assert before.generation == 0
    assert (first.authorities.users, first.revocations) == (b"one", Revocations())


def test_a_role_that_goes_takes_verdicts_back_and_a_new_one_none() -> None:
    """The policy's revocations follow its changes."""
    registry = a_registry()
    come = registry.apply([a_role("get")]).policy
    gone = registry.apply([removed(a_role("get"))]).policy

    assert [Revocations(), Revocations(gone.generation)] == [come.revocations, gone.revocations]
