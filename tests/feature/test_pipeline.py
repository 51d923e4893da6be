"""The pipeline: sources in, topologies and snapshots out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self

import pytest
import structlog

from controlplane.aio import Watchable
from controlplane.errors import StartError
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import Change, CredentialsChanged, Delete, ObjectKey, Synced, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.policy import Policy
from controlplane.model.problem import Origin, Problem
from controlplane.model.rbac import Role, RoleKey
from controlplane.model.resource import CLUSTER, LISTENER, SCOPED_ROUTE
from controlplane.model.topology import Topology
from controlplane.pipeline import Pipeline
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.snapshot.cache import SnapshotCache
from controlplane.sources.layered import Layers
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator

PATIENCE = 5.0


class Scripted:
    """A source that says what the test puts in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._batches: asyncio.Queue[Sequence[Change] | Exception] = asyncio.Queue()
        self._defined: set[ObjectKey] = set()

    def say(self, *changes: Change) -> None:
        """Says a batch."""
        self._batches.put_nowait(changes)

    def fail(self, error: Exception) -> None:
        """Fails, as a source does that cannot go on."""
        self._batches.put_nowait(error)

    def origin(self, key: ObjectKey) -> Origin | None:
        """The source itself, for whatever it said last of a key."""
        return Origin(self.name) if key in self._defined else None

    async def changes(self) -> AsyncIterator[Sequence[Change]]:
        """What was said, in order, without end."""
        while True:
            batch = await self._batches.get()
            if isinstance(batch, Exception):
                raise batch
            self._defined |= {change.key for change in batch if isinstance(change, Upsert)}
            self._defined -= {change.key for change in batch if isinstance(change, Delete)}
            yield batch


class Run:
    """A pipeline at work on some sources."""

    def __init__(self, *names: str) -> None:
        self.sources = [Scripted(name) for name in names]
        self.pipeline = Pipeline(
            registry=Registry(dns_template="{name}.{namespace}.svc", core=None),
            translator=Translator(
                FrontDoor(
                    "127.0.0.1",
                    8443,
                    Scripts("-- verdicts", "-- scope", "-- arrival", "-- identity"),
                    asks_for_client_certificates=False,
                ),
                authorization=Address.parse("unix:/run/authorization.sock"),
                discovery=Address.parse("unix:/run/discovery.sock"),
            ),
            topology=Watchable(Topology()),
            policy=Watchable(Policy()),
            snapshots=SnapshotCache(),
            log=structlog.get_logger("test"),
        )

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.pipeline.run(self.sources))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def reaches(self, condition: Callable[[Topology], bool]) -> Topology:
        """The first topology for which the condition holds."""
        async with asyncio.timeout(PATIENCE):
            topology = self.pipeline.topology.value
            while not condition(topology):
                topology = await self.pipeline.topology.changed(topology)
            return topology

    async def idle(self) -> None:
        """Lets everything that is ready to run do so."""
        for _ in range(20):
            await asyncio.sleep(0)


def an_api(group: str) -> Upsert:
    """An APIService on the Service ns/svc."""
    api = ApiService(GroupVersion(group, "v1"), 1000, 10, ServiceReference("ns", "svc"))
    return Upsert(ObjectKey("APIService", "", api.name), api)


CREDENTIALS = CredentialsChanged(Credentials(KeyPair(b"chain", Secret(b"key"))))


async def test_nothing_is_published_before_every_source_has_synced() -> None:
    """A world that is not whole yet is never served: Envoy would delete what it does not find in it."""
    async with Run("files", "credentials") as run:
        files, credentials = run.sources
        files.say(an_api("a.io"), Synced("files"))
        await run.idle()
        assert run.pipeline.topology.value.generation == 0
        assert run.pipeline.snapshots.latest() is None

        credentials.say(CREDENTIALS, Synced("credentials"))
        topology = await run.reaches(lambda topology: topology.generation > 0)

    assert [GroupVersion("a.io", "v1")] == list(topology.apis)


async def test_the_first_snapshot_holds_everything_and_is_consistent() -> None:
    """Listener, clusters and scopes are there at once, and nothing refers to what is not."""
    async with Run("files") as run:
        run.sources[0].say(CREDENTIALS, an_api("a.io"), an_api("b.io"), Synced("files"))
        await run.reaches(lambda topology: topology.generation > 0)
        snapshot = run.pipeline.snapshots.latest()

    assert snapshot is not None
    assert {"a.io/v1", "b.io/v1", "core"} == set(snapshot.table(SCOPED_ROUTE))
    assert list(snapshot.table(LISTENER)) == ["front-door"]
    # The system's roots are not among these credentials, and a backend without caBundle leans on them.
    assert {"system-roots"} == {dangling.target.name for dangling in snapshot.check()}


async def test_a_change_touches_what_it_changes() -> None:
    """One more APIService on a known backend is one scope more, and the rest are the identical resources."""
    async with Run("files") as run:
        run.sources[0].say(CREDENTIALS, an_api("a.io"), Synced("files"))
        await run.reaches(lambda topology: topology.generation > 0)
        before = run.pipeline.snapshots.latest()
        run.sources[0].say(an_api("b.io"))
        await run.reaches(lambda topology: len(topology.apis) == 2)
        after = run.pipeline.snapshots.latest()

    assert before is not None
    assert after is not None
    assert {SCOPED_ROUTE: frozenset(("b.io/v1",))} == after.touched
    assert before.table(CLUSTER) is after.table(CLUSTER)


async def test_changes_that_arrive_together_are_one_generation() -> None:
    """What came in while a batch was worked on goes through together."""
    async with Run("files") as run:
        run.sources[0].say(CREDENTIALS, Synced("files"))
        first = await run.reaches(lambda topology: topology.generation > 0)
        for number in range(100):
            run.sources[0].say(an_api(f"g{number}.io"))
        last = await run.reaches(lambda topology: len(topology.apis) == 100)

    assert last.generation - first.generation < 100


async def test_a_batch_that_changes_nothing_publishes_nothing() -> None:
    """Equal objects again wake nobody."""
    async with Run("files") as run:
        run.sources[0].say(CREDENTIALS, an_api("a.io"), Synced("files"))
        before = await run.reaches(lambda topology: topology.generation > 0)
        run.sources[0].say(an_api("a.io"))
        await run.idle()

        assert before is run.pipeline.topology.value


async def test_a_source_that_fails_ends_the_pipeline_with_its_reason() -> None:
    """The program must not go on with half of its sources."""
    run = Run("files")
    run.sources[0].fail(StartError("the folder is gone"))

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(PATIENCE):
            await run.pipeline.run(run.sources)

    assert caught.group_contains(StartError, match="the folder is gone")


async def test_defaults_are_under_a_source_and_come_back() -> None:
    """An object of the source hides the default of its key; when the source lets go, the default is there again."""
    key = ObjectKey("ClusterRole", "", "view")
    default, other = Role(RoleKey("", "view")), Role(RoleKey("", "view"), labels=(("a", "b"),))
    source = Scripted("files")
    source.say(Upsert(key, other))
    source.say(Delete(key), Delete(ObjectKey("ClusterRole", "", "edit")))
    problems: list[tuple[Problem, ...]] = []
    [layer] = Layers([source], {key: default}, problems.append).sources
    batches = layer.changes()

    assert [(Upsert(key, default),), (Upsert(key, other),)] == [await anext(batches), await anext(batches)]
    assert (Upsert(key, default), Delete(ObjectKey("ClusterRole", "", "edit"))) == await anext(batches)
    assert not problems


async def test_the_first_source_that_has_an_object_counts() -> None:
    """What the second says of the same key is a Problem, and in force when the first lets go of it."""
    key = ObjectKey("ClusterRole", "", "view")
    default, first, second = (Role(RoleKey("", "view"), labels=(("from", name),)) for name in ("d", "f", "s"))
    files, store = Scripted("files"), Scripted("store")
    problems: list[tuple[Problem, ...]] = []
    layers = Layers([files, store], {key: default}, problems.append)
    over, under = (layer.changes() for layer in layers.sources)
    store.say(Upsert(key, second))
    assert [(Upsert(key, default),), (Upsert(key, second),)] == [await anext(over), await anext(under)]
    assert layers.over("store", key) is None

    files.say(Upsert(key, first))
    assert (Upsert(key, first),) == await anext(over)
    assert Origin("files") == layers.over("store", key)
    assert ["store: ClusterRole view: is defined in files too, and that one counts; remove one of the two"] == [
        str(problem) for problem in problems[-1]
    ]

    store.say(Delete(key), Synced("store"))
    store.say(Upsert(key, second), Synced("store"))
    hidden = [await anext(under), await anext(under)]
    files.say(Delete(key))
    shown = await anext(over)
    store.say(Delete(key))

    assert [(Synced("store"),), (Synced("store"),)] == hidden
    assert (Upsert(key, second),) == shown
    assert () == problems[-1]
    assert (Upsert(key, default),) == await anext(under)
