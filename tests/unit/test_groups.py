"""What each node group is served."""

from __future__ import annotations

from controlplane.groups import EVERYBODY, GroupView, views
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import CredentialsChanged, ObjectKey, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.resource import CLUSTER, EXTENSION_CONFIG, LISTENER, SCOPED_ROUTE, SECRET
from controlplane.model.topology import Topology
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.settings.groups import NodeGroup
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator, everything

TRANSLATOR = Translator(
    FrontDoor(
        "127.0.0.1",
        8443,
        Scripts("-- verdicts", "-- scope", "-- arrival", "-- identity"),
        asks_for_client_certificates=True,
    ),
    authorization=Address.parse("unix:/run/authorization.sock"),
    discovery=Address.parse("unix:/run/discovery.sock"),
)
PAIR = KeyPair(b"chain", Secret(b"key"))
CREDENTIALS = CredentialsChanged(Credentials(PAIR, client_ca=b"ca", front_proxy=PAIR, system_roots=b"roots"))
EDGE = {"name": "edge", "nodes": {"cluster": "edge"}, "apiServices": {"matchLabels": {"at": "edge"}}}


def api(group: str, service: str, **labels: str) -> Upsert:
    """An APIService on a Service, with labels."""
    spec = ApiService(
        GroupVersion(group, "v1"), 1000, 10, ServiceReference("ns", service), labels=tuple(labels.items())
    )
    return Upsert(ObjectKey("APIService", "", spec.name), spec)


class World:
    """A registry and its whole snapshot, seen by the groups of some settings."""

    def __init__(self, *groups: dict[str, object]) -> None:
        self.views = views([NodeGroup.model_validate(group) for group in groups], TRANSLATOR)
        self.whole = Snapshot()
        self.registry = Registry(dns_template="{name}.{namespace}.svc", core=None)

    def apply(self, *changes: Upsert | CredentialsChanged) -> list[Snapshot]:
        """Each group's snapshot after a batch."""
        first = self.registry.topology == Topology()
        topology = self.registry.apply(changes)
        touched = everything(topology) if first else topology.touched
        fixed = TRANSLATOR.fixed(topology).upserts if first else ()
        translation = TRANSLATOR.translate(topology, touched)
        self.whole = self.whole.updated((*fixed, *translation.upserts), translation.removals)
        keys = [resource.key for resource in fixed]
        return [view.snapshot(self.whole, topology, touched.apis, keys) for view in self.views]


def backends(snapshot: Snapshot) -> list[str]:
    """The Services of the clusters of backends."""
    return sorted(name.split("/")[2] for name in snapshot.table(CLUSTER) if name.startswith("backend/"))


def test_without_groups_everybody_gets_the_whole_snapshot() -> None:
    """There is nothing to select, and nothing is computed."""
    world = World()
    (snapshot,) = world.apply(CREDENTIALS, api("a.io", "x"))

    assert (EVERYBODY,) == world.views
    assert world.whole is snapshot


def test_a_group_that_takes_everything_gets_the_whole_snapshot() -> None:
    """The same object, beside groups that get a part."""
    world = World(EDGE, {"name": "rest"})
    edge, rest = world.apply(CREDENTIALS, api("a.io", "x"))

    assert world.whole is rest
    assert world.whole is not edge


def test_a_group_gets_its_apis_and_what_all_requests_go_through() -> None:
    """Listener, authorization, the core scope and our own clusters are there; other backends are not."""
    (edge,) = World(EDGE).apply(CREDENTIALS, api("a.io", "x", at="edge"), api("b.io", "y"), api("c.io", "z", at="dc"))

    assert {"a.io/v1", "core"} == set(edge.table(SCOPED_ROUTE))
    assert ["x"] == backends(edge)
    assert {"isthmus/authorization", "isthmus/discovery"} <= set(edge.table(CLUSTER))
    assert edge.table(LISTENER)
    assert edge.table(EXTENSION_CONFIG)
    assert [] == edge.check()


def test_a_group_without_backends_is_not_given_their_client_certificate() -> None:
    """The front-proxy key lets its holder be anybody to a backend; who proxies to none does not need it."""
    (edge,) = World(EDGE).apply(CREDENTIALS, api("a.io", "x"))

    assert {"serving", "client-ca"} == set(edge.table(SECRET))


def test_a_changed_label_moves_an_api_between_groups() -> None:
    """Out of the one, into the other, by one change of one label."""
    world = World(EDGE, {**EDGE, "name": "dc", "nodes": {}, "apiServices": {"matchLabels": {"at": "dc"}}})
    world.apply(CREDENTIALS, api("a.io", "x", at="edge"))
    whole = world.whole

    edge, dc = world.apply(api("a.io", "x", at="dc"))

    assert (["core"], []) == (list(edge.table(SCOPED_ROUTE)), backends(edge))
    assert ({"core", "a.io/v1"}, ["x"]) == (set(dc.table(SCOPED_ROUTE)), backends(dc))
    assert whole is world.whole


def test_a_backend_of_several_apis_stays_for_as_long_as_a_group_has_one_of_them() -> None:
    """Two APIs of one Service share a cluster."""
    world = World(EDGE)
    world.apply(CREDENTIALS, api("a.io", "x", at="edge"), api("b.io", "x", at="edge"))

    assert ["x"] == backends(world.apply(api("a.io", "x"))[0])
    assert [] == backends(world.apply(api("b.io", "x"))[0])


def test_a_change_outside_a_group_does_not_change_its_snapshot() -> None:
    """None of its Envoys is woken."""
    world = World(EDGE)
    (before,) = world.apply(CREDENTIALS, api("a.io", "x", at="edge"))

    assert before is world.apply(api("b.io", "y"))[0]


def test_groups_share_what_is_framed() -> None:
    """A resource of two groups is one object, with one copy of its bytes."""
    world = World(EDGE, {"name": "rest", "frontDoor": {"port": 9443}})
    edge, rest = world.apply(CREDENTIALS, api("a.io", "x", at="edge"))

    assert edge.table(SCOPED_ROUTE)["a.io/v1"] is rest.table(SCOPED_ROUTE)["a.io/v1"]
    assert all(edge.table(CLUSTER)[name] is rest.table(CLUSTER)[name] for name in edge.table(CLUSTER))


def test_a_group_may_have_a_front_door_of_its_own() -> None:
    """Two Envoys on one machine cannot have one port; what is not given is as for all."""
    plain, port, address = World(
        {"name": "a", "nodes": {"cluster": "a"}},
        {"name": "b", "nodes": {"cluster": "b"}, "frontDoor": {"port": 9443}},
        {"name": "c", "frontDoor": {"address": "::1"}},
    ).apply(CREDENTIALS)
    doors = [snapshot.table(LISTENER)["front-door"] for snapshot in (plain, port, address)]

    assert 3 == len({door.version for door in doors})
    assert doors[1].body == TRANSLATOR.front_door("127.0.0.1", 9443).body
    assert doors[2].body == TRANSLATOR.front_door("::1", 8443).body
    assert TRANSLATOR.front_door(None, None) is None


def test_an_api_that_no_service_serves_is_in_a_group_without_a_scope() -> None:
    """A Local APIService is the core API server's; when it gets a Service its scope comes."""
    world = World(EDGE)
    local = ApiService(GroupVersion("a.io", "v1"), 1000, 10, labels=(("at", "edge"),))
    (before,) = world.apply(CREDENTIALS, Upsert(ObjectKey("APIService", "", local.name), local))
    (after,) = world.apply(api("a.io", "x", at="edge"))

    assert ({"core"}, {"core", "a.io/v1"}) == (set(before.table(SCOPED_ROUTE)), set(after.table(SCOPED_ROUTE)))


def test_views_are_named_as_their_groups_in_their_order() -> None:
    """Each snapshot is published under the group's name."""
    found: list[GroupView] = list(World(EDGE, {"name": "rest"}).views)

    assert ["edge", "rest"] == [view.name for view in found]
