"""A fleet on one control plane: how soon a change is everywhere, what a reconnect costs, what the server weighs.

In: nothing. Out: the figures; the last line is one JSON object. Law: the server is `XdsService` behind real gRPC in a
process of its own, every client has a connection of its own, and a time ends when the server has the last answer.

The clients read no further than they must, yet a gRPC client in Python takes what it takes, and all of them share one
core: how the time is split is printed.

Run by `make bench-fleet`, or: python benchmarks/fleet.py [--streams N] [--clusters N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from prometheus_client import CollectorRegistry, Histogram

from controlplane.model.apiservice import ServiceReference
from controlplane.model.resource import CLUSTER, ENDPOINTS, EnvoyResource
from controlplane.model.topology import Backend, BackendKey, Endpoint
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.framing import length_delimited
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation.clusters import backend_resources
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options
from controlplane.xds.status import ProxyStatus

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
PATIENCE = 120.0
# Each Envoy has a connection of its own; channels of one process would otherwise share one.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]

Questions = Mapping[str, Callable[..., Awaitable[object]]]


@dataclass(frozen=True)
class Usage:
    """What a process has used: seconds of CPU, and resident MiB now and at most."""

    cpu: float
    resident: float
    peak: float


async def usage() -> Usage:
    """This process's."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    lines = Path("/proc/self/status").read_text().splitlines()
    mib = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
    return Usage(own.ru_utime + own.ru_stime, mib["VmRSS"], mib["VmHWM"])


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


class Server:
    """The serving process: discovery over a Unix socket."""

    def __init__(self, address: str, streams: int, clusters: int) -> None:
        self._streams, self._clusters = streams, clusters
        resources = [one for number in range(clusters) for one in resources_of(number, "10.0.0.1")]
        self._snapshot = Snapshot().updated(resources)
        self._cache = SnapshotCache()
        self._cache.publish(self._snapshot)
        self._metrics = XdsMetrics(CollectorRegistry())
        self._metrics.convergence = self._arrivals = Arrivals("convergence", "Seconds.", registry=None)
        self._service = XdsService(self._cache, self._metrics)
        self._server = grpc.aio.server(options=server_options())
        self._server.add_generic_rpc_handlers(tuple(self._service.handlers()))
        self._server.add_insecure_port(address)

    async def start(self) -> Questions:
        """Listens; returns what may be asked."""
        await self._server.start()
        return {"change": self._change, "in_step": self._in_step, "gone": self._gone, "sent": self._sent}

    async def stop(self) -> None:
        """Ends every stream."""
        await self._server.stop(0)

    async def _change(self, turn: int) -> float:
        """Changes one endpoint; the seconds until the last stream has acknowledged it."""
        endpoints = resources_of(turn % self._clusters, f"10.1.{turn >> 8}.{turn & 255}")[1:]
        last = self._arrivals.expect(self._streams)
        start = time.perf_counter()
        self._snapshot = self._snapshot.updated(endpoints)
        self._cache.publish(self._snapshot)
        return await asyncio.wait_for(last, PATIENCE) - start

    async def _in_step(self) -> float:
        """The time at which every stream is there and holds everything."""
        async with asyncio.timeout(PATIENCE):
            while len(held := self._service.statuses()) < self._streams or not all(map(self._whole, held)):
                await asyncio.sleep(0.05)
        return time.perf_counter()

    def _whole(self, status: ProxyStatus) -> bool:
        return len(status.types) == 2 and all(
            (one.wildcard or one.names == self._clusters) and not one.behind and one.sent_nonce == one.acked_nonce
            for one in status.types
        )

    async def _gone(self) -> None:
        """Returns when every stream has ended."""
        async with asyncio.timeout(PATIENCE):
            while self._service.statuses():
                await asyncio.sleep(0.05)

    async def _sent(self) -> int:
        """How many resources were ever sent."""
        samples = [sample for metric in self._metrics.resources.collect() for sample in metric.samples]
        return int(sum(sample.value for sample in samples if sample.name.endswith("_total")))


class Clients:
    """The process of all clients. The first keeps the versions that it is sent; the others are sent the same."""

    def __init__(self, address: str, streams: int, clusters: int) -> None:
        self._address, self._streams = address, streams
        names = (resource.key for number in range(clusters) for resource in resources_of(number, "10.0.0.1"))
        self._names = sorted(key.name for key in names if key.type_url == ENDPOINTS)
        self._versions: dict[str, dict[str, str]] = {CLUSTER: {}, ENDPOINTS: {}}
        self._streaming: list[asyncio.Task[None]] = []

    async def start(self) -> Questions:
        """Returns what may be asked."""
        return {"connect": self._connect, "disconnect": self._disconnect}

    async def stop(self) -> None:
        """Ends every stream."""
        await self._disconnect()

    async def _connect(self) -> float:
        """Opens every stream, subscribes, and waits for all to be answered; the time before the first was opened."""
        clusters = DeltaDiscoveryRequest(type_url=CLUSTER, initial_resource_versions=self._versions[CLUSTER])
        clusters.node.id = "fleet"
        endpoints = DeltaDiscoveryRequest(
            type_url=ENDPOINTS,
            resource_names_subscribe=self._names,
            initial_resource_versions=self._versions[ENDPOINTS],
        )
        first = (clusters.SerializeToString(), endpoints.SerializeToString())
        answered = asyncio.Semaphore(0)
        start = time.perf_counter()
        for number in range(self._streams):
            self._streaming.append(asyncio.create_task(self._stream(first, answered, keeps=number == 0)))
        async with asyncio.timeout(PATIENCE):
            for _ in range(self._streams):
                await answered.acquire()
        return start

    async def _disconnect(self) -> None:
        for task in self._streaming:
            task.cancel()
        await asyncio.gather(*self._streaming, return_exceptions=True)
        self._streaming.clear()

    async def _stream(self, first: tuple[bytes, bytes], answered: asyncio.Semaphore, *, keeps: bool) -> None:
        async with grpc.aio.insecure_channel(self._address, options=CHANNEL_OPTIONS) as channel:
            call = channel.stream_stream(METHOD)()
            for request in first:
                await call.write(request)
            response = await call.read()
            answered.release()
            while response is not grpc.aio.EOF:
                if keeps:
                    self._keep(response)
                await call.write(acknowledgement(response))
                response = await call.read()

    def _keep(self, message: bytes) -> None:
        response = DeltaDiscoveryResponse.FromString(message)
        self._versions[response.type_url].update((one.name, one.version) for one in response.resources)


def acknowledgement(response: bytes) -> bytes:
    """The request that acknowledges a framed DeltaDiscoveryResponse."""
    values = dict(fields(response))
    return length_delimited(2, values[4]) + length_delimited(6, values[5])


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and payload of every field of a message that has only length-delimited ones, small numbers."""
    at = 0
    while at < len(message):
        number, at = message[at] >> 3, at + 1
        length = shift = 0
        while True:
            byte, at = message[at], at + 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        yield number, message[at : at + length]
        at += length


class Peer:
    """Another process, asked one thing at a time."""

    def __init__(self, kind: type[Server | Clients], address: str, streams: int, clusters: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        # A daemon: it ends when this process does, however that ends.
        self._process = spawning.Process(target=live, args=(theirs, kind, address, streams, clusters), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.recv() == "ready"

    def ask(self, question: str, *arguments: object) -> Any:
        """The answer; EOFError when the process has died."""
        self._pipe.send((question, arguments))
        return self._pipe.recv()

    def stop(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def live(pipe: Connection, kind: type[Server | Clients], address: str, streams: int, clusters: int) -> None:
    """The life of another process: answers until nobody can ask any more."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("WARNING"))

    async def answer() -> None:
        part = kind(address, streams, clusters)
        questions = {**await part.start(), "usage": usage}
        pipe.send("ready")
        while True:
            try:
                question, arguments = await asyncio.to_thread(pipe.recv)
            except EOFError:
                break
            pipe.send(await questions[question](*arguments))
        await part.stop()

    asyncio.run(answer())


class Fleet:
    """The server and its clients, and what is found out about them."""

    def __init__(self, server: Peer, clients: Peer) -> None:
        self._server, self._clients = server, clients
        self.results: dict[str, float] = {}

    def connect(self, what: str) -> None:
        """Connects every client, until each holds everything."""
        before = self._server.ask("sent")
        with self._split(what):
            start = self._clients.ask("connect")
            seconds = self._server.ask("in_step") - start
        sent = self._server.ask("sent") - before
        print(f"{what}: {seconds:.2f} s, {sent} resources")
        self.results.update({f"{what}_s": round(seconds, 2), f"{what}_resources": sent})

    def disconnect(self) -> None:
        """Disconnects every client."""
        self._clients.ask("disconnect")
        self._server.ask("gone")

    def change(self, rounds: int) -> None:
        """Changes one endpoint, again and again."""
        with self._split(f"{rounds} changes"):
            samples = sorted(1000 * self._server.ask("change", turn) for turn in range(rounds))
        p99 = samples[-(-99 * rounds // 100) - 1]
        print(
            f"change to last ACK: median {statistics.median(samples):.0f} ms, p99 {p99:.0f}, "
            f"min {samples[0]:.0f}, max {samples[-1]:.0f}"
        )
        self.results["change_to_last_ack_p99_ms"] = round(p99, 1)

    def weigh(self) -> None:
        """Asks what the server weighs."""
        used = self._server.ask("usage")
        print(f"server: {used.resident:.0f} MiB resident, at most {used.peak:.0f}")
        self.results["rss_mib"] = round(used.resident, 1)

    @contextmanager
    def _split(self, what: str) -> Iterator[None]:
        """Prints how much of the time each process was on a core."""
        start = time.perf_counter()
        before = [peer.ask("usage").cpu for peer in (self._server, self._clients)]
        yield
        server, clients = (
            peer.ask("usage").cpu - cpu for peer, cpu in zip((self._server, self._clients), before, strict=True)
        )
        seconds = time.perf_counter() - start
        print(f"{what}: {seconds:.2f} s in all; CPU seconds: server {server:.2f}, clients {clients:.2f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="isthmus-fleet-") as folder, ExitStack() as stack:
        address = f"unix:{folder}/xds.sock"
        peers = []
        for kind in (Server, Clients):
            peers.append(Peer(kind, address, options.streams, options.clusters))
            stack.callback(peers[-1].stop)
        fleet = Fleet(*peers)
        fleet.connect("connect")
        fleet.change(options.rounds)
        fleet.disconnect()
        fleet.connect("reconnect")
        fleet.weigh()
    names = ("change_to_last_ack_p99_ms", "reconnect_resources", "reconnect_s", "rss_mib")
    result = {name: fleet.results[name] for name in names}
    print(json.dumps({**result, "streams": options.streams, "clusters": options.clusters}))


if __name__ == "__main__":
    main()
