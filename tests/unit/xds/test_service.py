"""The life of a stream against a gRPC context that the test plays, for endings that no real client can time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from prometheus_client import CollectorRegistry

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService


@dataclass
class _Call:
    """What gRPC tells of a call before a handler is chosen."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


class _Context:
    """The part of a servicer's context that a stream uses."""

    def __init__(self) -> None:
        self.written = asyncio.Event()

    def peer(self) -> str:
        return "test"

    async def write(self, _: bytes) -> None:
        self.written.set()


async def test_a_stream_cancelled_while_it_ends_is_forgotten() -> None:
    """S10: a stream is neither listed nor counted any more when gRPC cancels it a second time while it winds up."""
    cache, registry = SnapshotCache(), CollectorRegistry()
    cache.publish(Snapshot())
    service = XdsService(cache, XdsMetrics(registry))
    ending, ended = asyncio.Event(), asyncio.Event()

    async def requests() -> AsyncIterator[bytes]:
        yield DeltaDiscoveryRequest(type_url=CLUSTER, node={"id": "envoy-1"}).SerializeToString()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await ended.wait()

    method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
    handler: Any = service.handlers()[0].service(_Call(method))
    context = _Context()
    async with asyncio.timeout(5):
        stream = asyncio.create_task(handler.stream_stream(requests(), context))
        await context.written.wait()
        listed = len(service.statuses())
        stream.cancel()
        await ending.wait()
        stream.cancel()
        ended.set()
        with pytest.raises(asyncio.CancelledError):
            await stream

    assert 1 == listed
    assert [] == service.statuses()
    assert 0.0 == registry.get_sample_value("isthmus_xds_streams", {"protocol": "delta"})
