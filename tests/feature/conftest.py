"""Fixtures of the feature tests.

In: nothing. Out: running servers. Law: everything started is stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
import structlog
from prometheus_client import CollectorRegistry
from xds_face import Face, Opener

from controlplane.snapshot.cache import SnapshotCache
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keeps the log out of the tests' output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def open_face() -> AsyncIterator[Opener]:
    """Starts servers with the given options, and stops them."""
    stops = []

    async def start(**options: object) -> Face:
        cache, registry = SnapshotCache(), CollectorRegistry()
        service = XdsService(cache, XdsMetrics(registry), **options)
        server = grpc.aio.server(options=server_options())
        server.add_generic_rpc_handlers(service.handlers())
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        face = Face(service, cache, registry, port)
        stops.append((face, server))
        return face

    yield start
    for face, server in stops:
        await face.channel.close()
        await server.stop(None)
