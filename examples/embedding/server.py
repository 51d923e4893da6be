"""An xDS server that serves a snapshot of one's own; every line on standard input is cluster a's next version."""

import asyncio
import sys

import grpc
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from prometheus_client import CollectorRegistry

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Resource, Snapshot
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options


async def serve(address: str) -> None:
    """Serves on `address` (such as 127.0.0.1:18000, or unix:/tmp/xds.sock) until standard input ends."""
    cache = SnapshotCache()
    service = XdsService(cache, XdsMetrics(CollectorRegistry()))
    server = grpc.aio.server(options=server_options())
    server.add_generic_rpc_handlers(service.handlers())
    server.add_insecure_port(address)
    body = Cluster(name="a").SerializeToString()
    other = Cluster(name="b").SerializeToString()
    snapshot = cache.publish(Snapshot.of([(CLUSTER, "a", "1", body), (CLUSTER, "b", "1", other)]))
    await server.start()
    print(f"serving on {address}", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        snapshot = cache.publish(snapshot.updated([Resource.of(CLUSTER, "a", body, version=line.strip())]))
    await server.stop(grace=None)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
