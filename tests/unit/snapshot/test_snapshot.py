"""Snapshots: sharing, touched names, wire frames, references."""

import hashlib
from itertools import permutations

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse

from controlplane.model.resource import CLUSTER, ENDPOINTS, ROUTE, EnvoyResource, ResourceName
from controlplane.snapshot.snapshot import Dangling, Resource, Snapshot


def cluster(name: str, body: bytes = b"1", **links: frozenset[ResourceName]) -> EnvoyResource:
    """A cluster as translation hands it over."""
    return EnvoyResource(ResourceName(CLUSTER, name), body, **links)


def test_delta_frame_is_a_resources_field() -> None:
    """Name, version and body come out of the frame as protobuf reads it."""
    body = Cluster(name="a").SerializeToString()
    resource = Resource.of(CLUSTER, "a", body)

    message = DeltaDiscoveryResponse.FromString(resource.delta_frame).resources[0]

    assert ("a", resource.version) == (message.name, message.version)
    assert (CLUSTER, body) == (message.resource.type_url, message.resource.value)


def test_sotw_frame_is_a_resources_field_in_the_same_memory() -> None:
    """The state-of-the-world frame is the end of the delta frame, not a copy."""
    resource = Resource.of(CLUSTER, "a", b"body")

    frame = resource.sotw_frame
    message = DiscoveryResponse.FromString(bytes(frame)).resources[0]

    assert (message.type_url, message.value) == (CLUSTER, b"body")
    assert frame.obj is resource.delta_frame


@pytest.mark.parametrize("body", [b"", b"1", b"x" * 300, b"x" * 70000])
def test_body_is_kept_whole(body: bytes) -> None:
    """The body is read back from the frame, whatever its length."""
    assert body == Resource.of(CLUSTER, "a", body).body


def test_version_is_the_hash_of_the_body() -> None:
    """D11: replicas agree on versions, because the content alone makes them."""
    assert hashlib.sha256(b"body").hexdigest()[:32] == Resource.of(CLUSTER, "a", b"body").version


def test_given_version_is_kept() -> None:
    """Whoever embeds this may bring versions of their own."""
    snapshot = Snapshot.of([(CLUSTER, "a", "v7", b"body")])

    assert snapshot.table(CLUSTER)["a"].version == "v7"


def test_of_refuses_a_name_given_twice() -> None:
    """D10: Envoy rejects a response with a name twice, so a snapshot cannot hold one."""
    with pytest.raises(ValueError, match="'a' is given twice"):
        Snapshot.of([(CLUSTER, "a", "", b"1"), (CLUSTER, "a", "", b"2")])


def test_repr_holds_no_bodies() -> None:
    """A body may be a private key, so no repr shows one."""
    snapshot = Snapshot.of([(CLUSTER, "a", "", b"top-secret")])

    assert "top-secret" not in repr(snapshot) + repr(snapshot.table(CLUSTER)["a"])


def test_update_with_nothing_new_is_the_same_snapshot() -> None:
    """M7: equal bytes and removals of what is not there make no new generation."""
    snapshot = Snapshot().updated([cluster("a")])

    assert snapshot is snapshot.updated([cluster("a")], [ResourceName(CLUSTER, "b")])


def test_update_shares_what_did_not_change() -> None:
    """An unchanged resource is the identical object in the next generation, an untouched type the identical table."""
    first = Snapshot().updated([cluster("a"), cluster("b"), EnvoyResource(ResourceName(ENDPOINTS, "a"), b"1")])

    second = first.updated([cluster("a"), cluster("b", b"2")])

    assert first.table(CLUSTER)["a"] is second.table(CLUSTER)["a"]
    assert first.table(ENDPOINTS) is second.table(ENDPOINTS)
    assert {CLUSTER: frozenset({"b"})} == second.touched
    assert first.generation + 1 == second.generation


def test_update_leaves_the_snapshot_before_alone() -> None:
    """Snapshots are immutable: streams still hold the one before."""
    first = Snapshot().updated([cluster("a")])

    first.updated([cluster("b")], [ResourceName(CLUSTER, "a")])

    assert list(first.table(CLUSTER)) == ["a"]


def test_name_both_removed_and_upserted_is_upserted() -> None:
    """A replaced object arrives as both, and must not vanish."""
    snapshot = Snapshot().updated([cluster("a")]).updated([cluster("a", b"2")], [ResourceName(CLUSTER, "a")])

    assert snapshot.table(CLUSTER)["a"].body == b"2"


def test_removal_is_touched() -> None:
    """A removed name is among the touched ones, and gone."""
    snapshot = Snapshot().updated([cluster("a"), cluster("b")]).updated([], [ResourceName(CLUSTER, "a")])

    assert ({CLUSTER: frozenset({"a"})}, None) == (snapshot.touched, snapshot.get(ResourceName(CLUSTER, "a")))


def test_fingerprint_depends_on_content_only() -> None:
    """Every order of arrival, by one update or several, gives the same fingerprint of a type."""
    fingerprints = set()
    for order in permutations([cluster("a"), cluster("b"), cluster("c")]):
        snapshot = Snapshot().updated([cluster("a", b"old"), cluster("z")])
        for resource in order:
            snapshot = snapshot.updated([resource])
        fingerprints.add(snapshot.updated([], [ResourceName(CLUSTER, "z")]).fingerprint(CLUSTER))
    versions = [(CLUSTER, name, "", b"1") for name in "abc"]

    assert {Snapshot.of(versions).fingerprint(CLUSTER)} == fingerprints


def test_fingerprint_tells_name_from_version() -> None:
    """Moving a character from the version to the name is another content."""
    assert Snapshot.of([(CLUSTER, "a", "bc", b"")]).fingerprint(CLUSTER) != Snapshot.of(
        [(CLUSTER, "ab", "c", b"")]
    ).fingerprint(CLUSTER)


def test_changes_from_the_previous_are_its_touched_names() -> None:
    """The step from one generation to the next is known without looking at any table."""
    first = Snapshot().updated([cluster("a")])
    second = first.updated([cluster("b")])

    assert second.touched is second.changes_from(first)


def test_changes_from_another_lineage_are_compared() -> None:
    """Against a snapshot it was not made from, differing versions and missing names count, new objects do not."""
    first = Snapshot.of([(CLUSTER, "a", "", b"1"), (CLUSTER, "b", "", b"1"), (ENDPOINTS, "e", "", b"1")])
    second = Snapshot.of([(CLUSTER, "a", "", b"1"), (CLUSTER, "c", "", b"1"), (ENDPOINTS, "e", "", b"1")])

    assert {CLUSTER: frozenset({"b", "c"})} == second.changes_from(first)


def test_check_names_dangling_references() -> None:
    """References and children that are not in the snapshot are told, sorted; those that are, are not."""
    route = EnvoyResource(
        ResourceName(ROUTE, "r"),
        b"",
        references=frozenset({ResourceName(CLUSTER, "a"), ResourceName(CLUSTER, "gone")}),
    )
    snapshot = Snapshot().updated([route, cluster("a", children=frozenset({ResourceName(ENDPOINTS, "a")}))])

    assert [
        Dangling(ResourceName(CLUSTER, "a"), ResourceName(ENDPOINTS, "a")),
        Dangling(ResourceName(ROUTE, "r"), ResourceName(CLUSTER, "gone")),
    ] == snapshot.check()


def test_versions_of_a_type_are_made_once() -> None:
    """The versions by name are those of the table, and every stream of a generation gets the same mapping."""
    snapshot = Snapshot().updated([cluster("a"), cluster("b", b"2")])
    versions = snapshot.versions(CLUSTER)

    assert {name: resource.version for name, resource in snapshot.table(CLUSTER).items()} == versions
    assert versions is snapshot.versions(CLUSTER)
