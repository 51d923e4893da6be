"""The fleet: clients that look at responses just closely enough to acknowledge them.

In: an address, how many streams to open, how many clusters to ask for. Out: when the first stream was opened and the
last was answered. Law: every client has a connection of its own, as every Envoy has, and sends what an Envoy sends.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator, Mapping

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from fleet_server import PATIENCE, resources_of
from peers import Part, Questions

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.framing import length_delimited

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
# Channels of one process would otherwise share a connection.
CHANNEL_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
# No two Envoys name things in the same order; so many orders are made once.
ORDERS = 8


class Clients(Part):
    """The process of all clients. The first keeps the versions that it is sent; the others are sent the same."""

    async def start(self) -> Questions:
        """Needs nothing before the first connection."""
        keys = [resource.key for number in range(self.clusters) for resource in resources_of(number, "10.0.0.1")]
        self._names = [key.name for key in keys if key.type_url == ENDPOINTS]
        self._versions: dict[str, dict[str, str]] = {CLUSTER: {}, ENDPOINTS: {}}
        self._streaming: list[asyncio.Task[None]] = []
        return {"connect": self._connect, "disconnect": self._disconnect}

    async def stop(self) -> None:
        """Ends every stream."""
        await self._disconnect()

    async def _connect(self) -> tuple[float, float]:
        """Opens every stream; the times before the first was opened and when the last was answered."""
        chance = random.Random(0)  # noqa: S311 (an order, not a secret)
        orders = [
            (
                subscription(CLUSTER, (), self._versions[CLUSTER], chance),
                subscription(ENDPOINTS, self._names, self._versions[ENDPOINTS], chance),
            )
            for _ in range(ORDERS)
        ]
        answered = asyncio.Semaphore(0)
        start = time.perf_counter()
        for number in range(self.streams):
            first = orders[number % ORDERS]
            self._streaming.append(asyncio.create_task(self._stream(first, answered, keeps=number == 0)))
        async with asyncio.timeout(PATIENCE):
            for _ in range(self.streams):
                await answered.acquire()
        return start, time.perf_counter()

    async def _disconnect(self) -> None:
        for task in self._streaming:
            task.cancel()
        await asyncio.gather(*self._streaming, return_exceptions=True)
        self._streaming.clear()

    async def _stream(self, first: tuple[bytes, bytes], answered: asyncio.Semaphore, *, keeps: bool) -> None:
        async with grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS) as channel:
            call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(METHOD)()
            for request in first:
                await call.write(request)
            response = await call.read()
            answered.release()
            while isinstance(response, bytes):
                if keeps:
                    self._keep(response)
                await call.write(acknowledgement(response))
                response = await call.read()

    def _keep(self, message: bytes) -> None:
        response = DeltaDiscoveryResponse.FromString(message)
        self._versions[response.type_url].update((one.name, one.version) for one in response.resources)


def subscription(type_url: str, names: Iterable[str], versions: Mapping[str, str], chance: random.Random) -> bytes:
    """A stream's first request for a type, with names and versions in an order of chance."""
    request = DeltaDiscoveryRequest(type_url=type_url)
    request.node.id = "fleet"
    fields = [length_delimited(3, name.encode()) for name in names]
    fields += [
        length_delimited(5, length_delimited(1, name.encode()) + length_delimited(2, version.encode()))
        for name, version in versions.items()
    ]
    chance.shuffle(fields)
    return bytes(request.SerializeToString()) + b"".join(fields)


def acknowledgement(response: bytes) -> bytes:
    """The request that acknowledges a framed DeltaDiscoveryResponse."""
    values = dict(_fields(response))
    return length_delimited(2, values[4]) + length_delimited(6, values[5])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
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
