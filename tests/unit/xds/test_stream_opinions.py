"""What there is for any xDS client: its own opinion, types of which nothing is known, order that is read from bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.json_format import ParseDict
from unit.xds.client import Client, build, delta, sotw

from controlplane.model.resource import CLUSTER, ENDPOINTS, ROUTE, SCOPED_ROUTE, ResourceName
from controlplane.snapshot.snapshot import Resource, Snapshot
from controlplane.xds.event import Ignored
from controlplane.xds.order import CHUNK_RESOURCES, MOST_UNLISTED
from controlplane.xds.quarantine import Quarantine

WIDGET = "type.googleapis.com/acme.example.v1.Widget"
BOTH = pytest.mark.parametrize("opened", [delta, sotw])

Opened = Callable[..., Client]


def chosen(version: str) -> Resource:
    """A cluster whose bytes are always the same, and whose version the caller chooses."""
    return Resource.of(CLUSTER, "a", b"a=1", version=version)


def rejecting(opened: Opened, *names: str) -> Client:
    """A client of its own opinion, that has rejected version 1 of cluster a."""
    client = opened(Snapshot().updated([chosen("1")]), quarantine=Quarantine())
    client.ask(CLUSTER, names)
    client.nack(client.next(), names)
    return client


@BOTH
@pytest.mark.parametrize("names", [(), ("a",)])
def test_w3_what_one_client_rejected_is_not_sent_to_it_again(opened: Opened, names: tuple[str, ...]) -> None:
    """W3: neither the resource nor that it does not exist: it does."""
    assert rejecting(opened, *names).next() is None


@BOTH
def test_w3_a_new_version_is_sent_after_a_rejection(opened: Opened) -> None:
    """W3: the version is the caller's word for the content, whatever the bytes are."""
    client = rejecting(opened)
    client.offer(client.stream.snapshot.updated([chosen("2")]))

    assert {"a": b"a=1"} == client.next().resources


@BOTH
def test_what_one_client_rejected_is_sent_to_another(opened: Opened) -> None:
    """Clients are not alike, and who comes back may be another by then."""
    first = rejecting(opened)
    other = opened(first.stream.snapshot, quarantine=Quarantine())
    other.ask(CLUSTER)

    assert {"a": b"a=1"} == other.next().resources


def test_d2_who_subscribes_again_to_what_it_rejected_gets_it() -> None:
    """D2: a subscription is always answered."""
    client = rejecting(delta, "a")
    client.ask(CLUSTER, ["a"])

    assert {"a": b"a=1"} == client.next().resources


def test_w5_who_names_again_what_it_rejected_gets_it() -> None:
    """W5: a name that is new to the subscription is answered."""
    client = rejecting(sotw, "a")
    nonce = "1"
    client.ask(CLUSTER, ["b"], nonce=nonce)
    client.settle(lambda _: ["b"])
    client.ask(CLUSTER, ["a", "b"], nonce=client.stream.status().types[0].sent_nonce)

    assert {"a": b"a=1"} == client.next().resources


def test_f2_where_rejections_are_shared_subscribing_again_changes_nothing() -> None:
    """F2: the bytes are known to be bad, and Envoy would acknowledge them the second time."""
    client = delta(Snapshot().updated([chosen("1")]))
    client.ask(CLUSTER, ["a"])
    client.nack(client.next(), ["a"])

    assert [(CLUSTER, {}, ["a"])] == [answer.content for answer in client.settle()]


@pytest.mark.parametrize("names", [["*"], ["w"]])
def test_types_of_which_nothing_is_known_are_served(names: list[str]) -> None:
    """Of delta, by name or as a whole: what there is, what is added, and what goes."""
    client = delta(Snapshot().updated([build.of(WIDGET, "w")]))
    client.ask(WIDGET, names)
    (first,) = client.settle()
    client.offer(client.stream.snapshot.updated([build.of(WIDGET, "w", "2")]))
    (second,) = client.settle()
    client.offer(client.stream.snapshot.updated([], [ResourceName(WIDGET, "w")]))
    (third,) = client.settle()

    assert [(WIDGET, {"w": b"w=1"}, []), (WIDGET, {"w": b"w=2"}, []), (WIDGET, {}, ["w"])] == [
        answer.content for answer in (first, second, third)
    ]
    assert client.stream.in_step
    assert [WIDGET] == [kind.type_url for kind in client.stream.status().types]


def test_such_types_are_served_in_state_of_the_world() -> None:
    """In part, as load assignments are: what is not there is no removal."""
    client = sotw(Snapshot().updated([build.of(WIDGET, "v"), build.of(WIDGET, "w")]))
    client.ask(WIDGET, ["v", "w"])
    client.settle(lambda _: ["v", "w"])
    client.offer(client.stream.snapshot.updated([build.of(WIDGET, "w", "2")]))

    assert {"w": b"w=2"} == client.next().resources


def test_such_a_type_is_answered_once_there_is_some_of_it() -> None:
    """Until then nothing is said of it, not even that a name is missing; and it keeps nobody out of step."""
    client = delta(build.snapshot(build.cluster("a")))
    client.ask(WIDGET, ["w", "v"])
    silence = client.next()
    in_step, ignored = client.stream.in_step, client.events(Ignored)
    client.offer(client.stream.snapshot.updated([build.of(WIDGET, "w")]))

    assert (None, True, [Ignored(WIDGET)]) == (silence, in_step, ignored)
    assert [(WIDGET, {"w": b"w=1"}, ["v"])] == [answer.content for answer in client.settle()]


def test_envoys_types_come_before_all_others() -> None:
    """Nobody knows what the others lean on."""
    client = delta(build.snapshot(build.of(WIDGET, "w"), build.cluster("a"), build.endpoints("a")))
    for type_url in (WIDGET, ENDPOINTS, CLUSTER):
        client.ask(type_url, ["*"])

    assert [CLUSTER, ENDPOINTS, WIDGET] == [answer.type_url for answer in client.settle()]


def test_a_client_makes_up_only_so_many_types() -> None:
    """Whatever it calls one is remembered: one more is not, and what was there goes on."""
    client = delta(Snapshot().updated([build.of(f"{WIDGET}{number}", "w") for number in range(MOST_UNLISTED + 1)]))
    for number in range(MOST_UNLISTED + 1):
        client.ask(f"{WIDGET}{number}", ["w"])

    assert [Ignored(f"{WIDGET}{MOST_UNLISTED}")] == client.events(Ignored)
    assert [f"{WIDGET}{number}" for number in range(MOST_UNLISTED)] == [answer.type_url for answer in client.settle()]


def test_w7_the_version_of_a_part_is_not_that_of_the_whole() -> None:
    """W7: who named what it wanted, and comes back for everything, gets everything."""
    snapshot = build.snapshot(*map(build.cluster, "abc"))
    named = sotw(snapshot)
    named.ask(CLUSTER, ["a"])
    version = named.next().version
    whole = sotw(snapshot)
    whole.ask(CLUSTER, version=version)

    assert {"a", "b", "c"} == set(whole.next().resources)


def test_scopes_that_are_called_otherwise_follow_the_old_ones() -> None:
    """Envoy refuses two scopes of one key: a client that comes back loses the old names before it gets new ones."""
    count = CHUNK_RESOURCES + 200
    client = delta(build.snapshot(*(build.of(SCOPED_ROUTE, f"new{number}") for number in range(count))))
    client.ask(SCOPED_ROUTE, initial_versions={f"old{number}": "1" for number in range(count)})
    held = {f"old{number}" for number in range(count)}
    most = 0
    for answer in client.settle():
        # As Envoy does: within a response, what goes does so first.
        held -= set(answer.removed)
        held |= set(answer.resources)
        most = max(most, len(held) - len({name.removeprefix("old").removeprefix("new") for name in held}))

    assert (0, {f"new{number}" for number in range(count)}) == (most, held)


def eds(name: str, stat: str = "") -> tuple[str, str, str, bytes]:
    """A cluster with a load assignment."""
    return CLUSTER, name, stat or "1", Cluster(name=name, type=Cluster.EDS, alt_stat_name=stat).SerializeToString()


def routing(cluster: str) -> tuple[str, str, str, bytes]:
    """A route to a cluster."""
    route = {"virtual_hosts": [{"routes": [{"route": {"cluster": cluster}}]}]}
    return ROUTE, "r", cluster, ParseDict(route, RouteConfiguration()).SerializeToString()


def test_d12_a_load_assignment_follows_its_cluster_where_the_bytes_say_so() -> None:
    """D12: Envoy warms a changed cluster, and waits 15 seconds for what it already has."""
    client = delta(Snapshot.of([eds("a"), (ENDPOINTS, "a", "1", b"")]))
    client.ask(CLUSTER)
    client.ask(ENDPOINTS, ["a"])
    client.settle()
    client.offer(Snapshot.of([eds("a", "other"), (ENDPOINTS, "a", "1", b"")]), compare=True)

    assert [(CLUSTER, ["a"]), (ENDPOINTS, ["a"])] == [
        (answer.type_url, list(answer.resources)) for answer in client.all()
    ]


def test_m3_a_route_waits_for_its_cluster_where_the_bytes_say_so() -> None:
    """M3: nobody had to say what it leans on, and the old cluster goes last."""
    client = delta(Snapshot.of([eds("x"), routing("x")]))
    client.ask(CLUSTER)
    client.ask(ROUTE, ["r"])
    client.settle()
    client.offer(Snapshot.of([eds("y"), routing("y")]), compare=True)
    cluster = client.next()
    waiting = client.next()
    client.ack(cluster)

    assert (["y"], [], None) == (list(cluster.resources), cluster.removed, waiting)
    assert [(ROUTE, ["r"], []), (CLUSTER, [], ["x"])] == [
        (answer.type_url, list(answer.resources), answer.removed) for answer in client.settle()
    ]


def test_m3_a_route_to_a_cluster_of_the_clients_own_waits_for_nothing() -> None:
    """M3: what its bytes name and no snapshot has is in its bootstrap, or nowhere."""
    client = delta(Snapshot.of([eds("x"), routing("static")]))
    client.ask(CLUSTER)
    client.ask(ROUTE, ["r"])

    assert [CLUSTER, ROUTE] == [answer.type_url for answer in client.all()]
