"""The snapshot cache: readiness, generations, history."""

import asyncio

from controlplane.model.resource import CLUSTER, EnvoyResource, ResourceName
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot


def step(snapshot: Snapshot, *names: str, body: bytes = b"1") -> Snapshot:
    """The next generation, with these clusters."""
    return snapshot.updated([EnvoyResource(ResourceName(CLUSTER, name), body) for name in names])


def test_nothing_is_served_before_the_first_publish() -> None:
    """S6: no snapshot is told from an empty one."""
    cache = SnapshotCache()

    assert (cache.latest(), cache.changes_since(0)) == (None, None)

    cache.publish(Snapshot())

    assert cache.latest() is not None


def test_groups_are_apart() -> None:
    """Publishing for one node group leaves another not ready."""
    cache = SnapshotCache()

    cache.publish(Snapshot(), group="edge")

    assert (cache.latest(), cache.latest("edge") is not None) == (None, True)


def test_changes_since_joins_the_steps_between() -> None:
    """A stream two generations behind is told the names of both steps, and one in step nothing."""
    cache = SnapshotCache()
    first = cache.publish(step(Snapshot(), "a"))
    second = cache.publish(step(first, "b"))
    cache.publish(step(second, "c", "b", body=b"2"))

    assert {CLUSTER: frozenset({"b", "c"})} == cache.changes_since(first.generation)
    assert {CLUSTER: frozenset({"b", "c"})} == cache.changes_since(second.generation)
    assert cache.changes_since(second.generation + 1) == {}


def test_changes_since_is_computed_once_for_all_streams() -> None:
    """The same question about the same generation gets the identical answer."""
    cache = SnapshotCache()
    first = cache.publish(step(Snapshot(), "a"))
    cache.publish(step(first, "b"))

    assert cache.changes_since(first.generation) is cache.changes_since(first.generation)


def test_changes_since_forgotten_generations_are_unknown() -> None:
    """Past the bounded history a stream is told to compare everything."""
    cache = SnapshotCache(history=2)
    snapshots = [cache.publish(step(Snapshot(), "a"))]
    for name in "bcd":
        snapshots.append(cache.publish(step(snapshots[-1], name)))

    assert [
        changes if (changes := cache.changes_since(snapshot.generation)) is None else True for snapshot in snapshots[:3]
    ] == [None, True, True]


def test_coalesced_updates_are_told_whole() -> None:
    """A publisher may skip generations; what changed in the skipped ones is told too."""
    cache = SnapshotCache()
    first = cache.publish(step(Snapshot(), "a"))
    cache.publish(step(step(first, "b"), "c"))

    assert {CLUSTER: frozenset({"b", "c"})} == cache.changes_since(first.generation)


def test_snapshot_from_scratch_is_renumbered() -> None:
    """Whoever builds every snapshot anew publishes growing generations all the same."""
    cache = SnapshotCache()
    first = cache.publish(Snapshot.of([(CLUSTER, "a", "", b"1")]))
    second = cache.publish(Snapshot.of([(CLUSTER, "a", "", b"2")]))

    assert first.generation + 1 == second.generation
    assert {CLUSTER: frozenset({"a"})} == cache.changes_since(first.generation)


async def test_publishing_the_same_content_wakes_nobody() -> None:
    """M7: a snapshot built anew with the same content is no change."""
    cache = SnapshotCache()
    first = cache.publish(Snapshot.of([(CLUSTER, "a", "", b"1")]))
    waiting = asyncio.create_task(cache.watch().changed(first))
    await asyncio.sleep(0)

    assert first is cache.publish(Snapshot.of([(CLUSTER, "a", "", b"1")]))

    second = cache.publish(Snapshot.of([(CLUSTER, "a", "", b"2")]))

    assert second is await waiting
