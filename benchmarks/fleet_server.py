"""The serving side of the fleet: `XdsService` behind real gRPC.

In: an address, how many streams to expect, how many clusters to serve. Out: when every stream had a change, what was
sent. Law: what is measured is the product's own code; this only counts and takes the time.
"""

from __future__ import annotations

import asyncio
import time

import grpc
from peers import Part, Questions
from prometheus_client import CollectorRegistry, Histogram

from controlplane.model.apiservice import ServiceReference
from controlplane.model.resource import EnvoyResource
from controlplane.model.topology import Backend, BackendKey, Endpoint
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation.clusters import backend_resources
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options
from controlplane.xds.status import ProxyStatus

PATIENCE = 120.0


def resources_of(number: int, address: str) -> tuple[EnvoyResource, ...]:
    """The cluster of a backend with a certificate authority of its own, and its load assignment."""
    backend = Backend(
        key=BackendKey(ServiceReference("default", f"backend-{number}", 443), f"{number:064x}"),
        server_name=f"backend-{number}.default.svc",
        endpoints=(Endpoint(address, 6443),),
        dns=False,
        ca_bundle=b"%01000d" % number,
    )
    return backend_resources(backend, present_certificate=True)


class Arrivals(Histogram):
    """The metric of convergence, which also knows when the last of some streams has converged."""

    _missing = 0

    def expect(self, streams: int) -> asyncio.Future[float]:
        """The time at which so many streams have acknowledged everything, counted from now."""
        self._missing = streams
        self._last: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        return self._last

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Counts one stream."""
        super().observe(amount, exemplar)
        self._missing -= 1
        if self._missing == 0:
            self._last.set_result(time.perf_counter())


class Server(Part):
    """The serving process: discovery over a Unix socket."""

    async def start(self) -> Questions:
        """Listens."""
        resources = [one for number in range(self.clusters) for one in resources_of(number, "10.0.0.1")]
        self._snapshot = Snapshot().updated(resources)
        self._cache = SnapshotCache()
        self._cache.publish(self._snapshot)
        self._metrics = XdsMetrics(CollectorRegistry())
        self._metrics.convergence = self._arrivals = Arrivals("convergence", "Seconds.", registry=None)
        self._service = XdsService(self._cache, self._metrics)
        self._server = grpc.aio.server(options=server_options())
        self._server.add_generic_rpc_handlers(tuple(self._service.handlers()))
        self._server.add_insecure_port(self.address)
        await self._server.start()
        return {"change": self._change, "in_step": self._in_step, "gone": self._gone, "sent": self._sent}

    async def stop(self) -> None:
        """Ends every stream."""
        await self._server.stop(0)

    async def _change(self, turn: int) -> float:
        """Changes one endpoint; the seconds until the last stream has acknowledged it."""
        endpoints = resources_of(turn % self.clusters, f"10.1.{turn >> 8}.{turn & 255}")[1:]
        last = self._arrivals.expect(self.streams)
        start = time.perf_counter()
        self._snapshot = self._snapshot.updated(endpoints)
        self._cache.publish(self._snapshot)
        return await asyncio.wait_for(last, PATIENCE) - start

    async def _in_step(self) -> float:
        """The time at which every stream is there and holds everything."""
        async with asyncio.timeout(PATIENCE):
            while len(held := self._service.statuses()) < self.streams or not all(map(self._whole, held)):
                await asyncio.sleep(0.02)
        return time.perf_counter()

    def _whole(self, status: ProxyStatus) -> bool:
        return len(status.types) == 2 and all(
            (one.wildcard or one.names == self.clusters) and not one.behind and one.sent_nonce == one.acked_nonce
            for one in status.types
        )

    async def _gone(self) -> None:
        """Returns when every stream has ended.

        Raises:
            RuntimeError: when some never do.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while self._service.statuses():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            left = len(self._service.statuses())
            raise RuntimeError(f"{left} streams are still listed {PATIENCE:.0f} s after their clients left") from None

    async def _sent(self) -> int:
        """How many resources were ever sent."""
        samples = [sample for metric in self._metrics.resources.collect() for sample in metric.samples]
        return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))
