"""A real xDS server on the loopback interface and clients for it.

In: a snapshot. Out: what a client is sent. Law: everything goes over real gRPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from prometheus_client import CollectorRegistry

from controlplane.model.resource import (
    CLUSTER,
    ENDPOINTS,
    EXTENSION_CONFIG,
    LISTENER,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    EnvoyResource,
    ResourceName,
)
from controlplane.snapshot.cache import SnapshotCache
from controlplane.xds.service import XdsService

AGGREGATED = "envoy.service.discovery.v3.AggregatedDiscoveryService"
SERVICES = [
    ("envoy.service.listener.v3.ListenerDiscoveryService", "Listeners", LISTENER),
    ("envoy.service.route.v3.RouteDiscoveryService", "Routes", ROUTE),
    ("envoy.service.route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes", SCOPED_ROUTE),
    ("envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters", CLUSTER),
    ("envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints", ENDPOINTS),
    ("envoy.service.secret.v3.SecretDiscoveryService", "Secrets", SECRET),
    ("envoy.service.extension.v3.ExtensionConfigDiscoveryService", "ExtensionConfigs", EXTENSION_CONFIG),
    ("envoy.service.runtime.v3.RuntimeDiscoveryService", "Runtime", RUNTIME),
]


def resource(type_url: str, name: str, body: bytes = b"1") -> EnvoyResource:
    """A resource whose body no client looks into."""
    return EnvoyResource(ResourceName(type_url, name), body)


class Face:
    """A running server, and calls to it."""

    def __init__(self, service: XdsService, cache: SnapshotCache, registry: CollectorRegistry, port: int) -> None:
        self.service = service
        self.cache = cache
        self.registry = registry
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.aio.insecure_channel(self.address)

    def delta(self, method: str = f"/{AGGREGATED}/DeltaAggregatedResources") -> grpc.aio.StreamStreamCall:
        """Opens a delta stream."""
        return self.channel.stream_stream(
            method, DeltaDiscoveryRequest.SerializeToString, DeltaDiscoveryResponse.FromString
        )()

    def sotw(self, method: str = f"/{AGGREGATED}/StreamAggregatedResources") -> grpc.aio.StreamStreamCall:
        """Opens a state-of-the-world stream."""
        return self.channel.stream_stream(method, DiscoveryRequest.SerializeToString, DiscoveryResponse.FromString)()

    def count(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.registry.get_sample_value(name, labels) or 0.0


Opener = Callable[..., Awaitable[Face]]


def delta_request(type_url: str, *names: str, **fields: object) -> DeltaDiscoveryRequest:
    """A delta request that says who asks."""
    request = DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, **fields)
    request.node.id = "envoy-1"
    return request


def sotw_request(type_url: str, *names: str, **fields: object) -> DiscoveryRequest:
    """A state-of-the-world request that says who asks."""
    request = DiscoveryRequest(type_url=type_url, resource_names=names, **fields)
    request.node.id = "envoy-1"
    return request


async def until(true: Callable[[], bool]) -> None:
    """Lets the event loop run until something is true."""
    while not true():  # noqa: ASYNC110 (nothing announces that the last task of a closed stream is gone)
        await asyncio.sleep(0)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Fails the test instead of hanging."""
    async with asyncio.timeout(seconds):
        yield
