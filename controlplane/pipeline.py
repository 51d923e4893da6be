"""The journey of a registration, on one page.

    sources --Change--> registry --Topology--> translation --EnvoyResource--> snapshot --> groups --> xds --> Envoy
                            |
                            +--> discovery and authorization, which watch the topology

In: sources, each an async iterator of batches of Change. Out: topologies and snapshots, published whole. Law: nothing
is published before every source has said `Synced`; a lone change goes through at once, and changes that arrive
meanwhile go through together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from controlplane.aio import Watchable
from controlplane.groups import EVERYBODY, GroupView
from controlplane.model.change import Change, Reached, Synced
from controlplane.model.policy import Policy
from controlplane.model.topology import Topology
from controlplane.registry.store import Registry
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.sources import Source
from controlplane.translation.translate import Translator, everything


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages, joined."""

    registry: Registry
    translator: Translator
    topology: Watchable[Topology]
    policy: Watchable[Policy]
    snapshots: SnapshotCache
    log: structlog.typing.FilteringBoundLogger
    groups: tuple[GroupView, ...] = (EVERYBODY,)
    reached: Watchable[int] = field(default_factory=lambda: Watchable(0))
    """The revision of the source that counts them up to which everything is published."""

    async def run(self, sources: Sequence[Source]) -> None:
        """Runs until cancelled, or until a source fails, which is a defect and ends the program."""
        queue: asyncio.Queue[Sequence[Change]] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            for source in sources:
                tasks.create_task(_pump(source, queue), name=f"source {source.name}")
            await self._work(queue, {source.name for source in sources})

    async def _work(self, queue: asyncio.Queue[Sequence[Change]], awaited: set[str]) -> None:
        snapshot, first, reached = Snapshot(), True, 0
        while True:
            batch = list(await queue.get())
            # What arrived while the last batch was being worked on goes together; nobody waits for more to come.
            while not queue.empty():
                batch += queue.get_nowait()
            topology = self.registry.apply(batch)
            awaited -= {change.source for change in batch if isinstance(change, Synced)}
            reached = max((change.revision for change in batch if isinstance(change, Reached)), default=reached)
            if awaited:
                continue
            if topology is self.topology.value and not first:
                self.reached.publish(reached)
                continue
            touched = everything(topology) if first else topology.touched
            translation = self.translator.translate(topology, touched)
            fixed = self.translator.fixed(topology).upserts if first else ()
            snapshot = snapshot.updated((*fixed, *translation.upserts), translation.removals)
            kept = [resource.key for resource in fixed]
            # Who may do what is known before Envoy sends the first of them; discovery's own requests can wait for the
            # push.
            self.policy.publish(topology.policy)
            for group in self.groups:
                self.snapshots.publish(group.snapshot(snapshot, topology, touched.apis, kept), group.name)
            first = False
            self.topology.publish(topology)
            self.reached.publish(reached)
            self.log.info(
                "topology published",
                generation=topology.generation,
                apis=len(topology.apis),
                backends=len(topology.backends),
                resources_changed=len(translation.upserts),
                resources_removed=len(translation.removals),
            )


async def _pump(source: Source, queue: asyncio.Queue[Sequence[Change]]) -> None:
    async for batch in source.changes():
        queue.put_nowait(batch)
