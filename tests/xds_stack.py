"""The xDS server alone before the real Envoy, and a backend behind it.

In: clusters, endpoints and scopes. Out: what Envoy does with them. Law: there is nothing of Isthmus but its xDS face;
whatever is started is stopped.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import grpc
import orjson
import structlog
from aiohttp import web
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE, EnvoyResource, ResourceName
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Rejected
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options

ADS = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "15s"}
SCOPE_HEADER = "x-scope"


def encoded(type_url: str, name: str, message: Message, **links: Iterable[ResourceName]) -> EnvoyResource:
    """A message as translation hands it over."""
    body = message.SerializeToString(deterministic=True)
    return EnvoyResource(ResourceName(type_url, name), body, **{link: frozenset(keys) for link, keys in links.items()})


def cluster(name: str, *, connect_timeout: str = "1s", bad_ca: bool = False) -> EnvoyResource:
    """An EDS cluster; a negative `connect_timeout` fails validation, `bad_ca` the cluster's creation."""
    message = Cluster(name=name)
    json_format.ParseDict(
        {
            "type": "EDS",
            "connect_timeout": connect_timeout.removeprefix("-"),
            "eds_cluster_config": {"eds_config": ADS},
        },
        message,
    )
    if connect_timeout.startswith("-"):
        message.connect_timeout.seconds = -1
    if bad_ca:
        context = UpstreamTlsContext()
        context.common_tls_context.validation_context.trusted_ca.inline_string = "no certificate"
        message.transport_socket.name = "envoy.transport_sockets.tls"
        message.transport_socket.typed_config.Pack(context)
    return encoded(CLUSTER, name, message, children=[ResourceName(ENDPOINTS, name)])


def endpoints(name: str, port: int) -> EnvoyResource:
    """The backend as the only endpoint of a cluster."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    message = json_format.ParseDict(
        {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]},
        ClusterLoadAssignment(),
    )
    return encoded(ENDPOINTS, name, message)


def scope(name: str, to: str) -> EnvoyResource:
    """Requests whose scope header is `name` go to a cluster."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": to}}]
    message = json_format.ParseDict(
        {
            "name": name,
            "key": {"fragments": [{"string_key": name}]},
            "route_configuration": {
                "name": name,
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
            },
        },
        ScopedRouteConfiguration(),
    )
    return encoded(SCOPED_ROUTE, name, message, references=[ResourceName(CLUSTER, to)])


def listener() -> EnvoyResource:
    """A listener on a free port, routed by scopes."""
    extractor = {"name": SCOPE_HEADER, "index": 0}
    manager = json_format.ParseDict(
        {
            "stat_prefix": "front",
            "scoped_routes": {
                "name": "scopes",
                "scope_key_builder": {"fragments": [{"header_value_extractor": extractor}]},
                "rds_config_source": ADS,
                "scoped_rds": {"scoped_rds_config_source": ADS},
            },
            "http_filters": [{"name": "router"}],
        },
        HttpConnectionManager(),
    )
    manager.http_filters[0].typed_config.Pack(Router())
    message = Listener(name="front")
    message.address.socket_address.address = "127.0.0.1"
    message.address.socket_address.port_value = 0
    manager_filter = message.filter_chains.add().filters.add(name="manager")
    manager_filter.typed_config.Pack(manager)
    return encoded(LISTENER, "front", message)


def bootstrap(folder: Path, api_type: str) -> str:
    """Envoy's own configuration: where the control plane is, with pings far more frequent than gRPC likes."""
    http2 = {
        "explicit_http_config": {
            "http2_protocol_options": {"connection_keepalive": {"interval": "1s", "timeout": "5s"}}
        }
    }
    options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    xds_address = {"endpoint": {"address": {"pipe": {"path": str(folder / "xds.sock")}}}}
    document = {
        "node": {"id": "envoy-live", "cluster": "live"},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock")}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": api_type,
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": options, **http2}
                    },
                    "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [xds_address]}]},
                }
            ]
        },
    }
    return orjson.dumps(document).decode()


class Stack:
    """A control plane, an Envoy and a backend."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.backend_port = port
        self.rejected: list[Rejected] = []
        self.snapshot = Snapshot()
        self.start = time.monotonic()

    async def serve(self) -> None:
        """Starts a control plane that knows nothing of an earlier one."""
        self.registry = CollectorRegistry()
        self.cache = SnapshotCache()
        self.service = XdsService(self.cache, XdsMetrics(self.registry), on_rejected=self.rejected.append)
        self.server = grpc.aio.server(options=server_options())
        self.server.add_generic_rpc_handlers(self.service.handlers())
        self.server.add_insecure_port(f"unix:{self.folder / 'xds.sock'}")
        await self.server.start()

    def publish(self, upserts: Iterable[EnvoyResource], removals: Iterable[ResourceName] = ()) -> None:
        """Changes what Envoy shall have."""
        self.snapshot = self.cache.publish(self.snapshot.updated(upserts, removals))

    async def in_step(self, seconds: float) -> float:
        """How long it takes until Envoy has acknowledged everything."""
        begin = time.monotonic()
        await until(
            lambda: [status.acked_generation for status in self.service.statuses()] == [self.snapshot.generation],
            seconds,
        )
        return time.monotonic() - begin

    async def admin(self, path: str) -> bytes:
        """A page of Envoy's admin interface."""
        connector = aiohttp.UnixConnector(str(self.folder / "admin.sock"))
        async with aiohttp.ClientSession(connector=connector) as session, session.get(f"http://envoy{path}") as answer:
            return await answer.read()

    async def port(self) -> int:
        """The port that Envoy's listener got."""
        listeners = orjson.loads(await self.admin("/listeners?format=json"))
        address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
        return int(address["port_value"])

    async def get(self, name: str) -> int:
        """The status code of a request in a scope."""
        url = f"http://127.0.0.1:{await self.port()}/"
        async with aiohttp.ClientSession() as session, session.get(url, headers={SCOPE_HEADER: name}) as answer:
            return answer.status

    def sent(self) -> float:
        """How many resources were written by this control plane."""
        return sum(
            sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "isthmus_xds_resources_total"
        )


async def until(true: Callable[[], bool], seconds: float) -> None:
    """Waits for the other process to bring something about."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (Envoy announces nothing)
            await asyncio.sleep(0.005)


async def answer(_: web.Request) -> web.Response:
    """What the backend says to every request."""
    return web.Response(text="backend")


@asynccontextmanager
async def running(api_type: str = "DELTA_GRPC") -> AsyncIterator[Stack]:
    """A stack that serves one API through Envoy."""
    folder = Path(tempfile.mkdtemp(prefix="xds", dir="/tmp"))
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stack = Stack(folder, runner.addresses[0][1])
    await stack.serve()
    stack.publish([listener(), cluster("a"), endpoints("a", stack.backend_port), scope("a", "a")])
    (folder / "bootstrap.json").write_text(bootstrap(folder, api_type))
    binary = shutil.which("envoy", path=str(Path(sys.executable).parent)) or "envoy"
    envoy = await asyncio.create_subprocess_exec(
        binary,
        "-c",
        str(folder / "bootstrap.json"),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warning",
        "--log-path",
        str(folder / "envoy.log"),
    )
    try:
        with structlog.testing.capture_logs():
            await until(lambda: bool(stack.service.statuses()), 10)
            await stack.in_step(10)
            yield stack
    finally:
        envoy.kill()
        await envoy.wait()
        await stack.server.stop(None)
        await runner.cleanup()
        shutil.rmtree(folder)
