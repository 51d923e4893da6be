"""An xDS server alone, resources for clients of every kind, and the backends that they lead to.

In: resources in their JSON form. Out: a control plane that serves them, and processes that ask it. Law: whatever is
started ends with its `async with`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401 (an Any in JSON needs its type loaded)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401 (same)
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401 (same)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf import json_format
from google.protobuf.message import Message
from pki import CertificateAuthority
from prometheus_client import CollectorRegistry

from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTE, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Resource, Snapshot
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options

MESSAGES = {
    CLUSTER: Cluster,
    ENDPOINTS: ClusterLoadAssignment,
    LISTENER: Listener,
    ROUTE: RouteConfiguration,
    SCOPED_ROUTE: ScopedRouteConfiguration,
    SECRET: Secret,
}
API = "type.googleapis.com/envoy."
HTTP_MANAGER = f"{API}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {"name": "router", "typed_config": {"@type": f"{API}extensions.filters.http.router.v3.Router"}}
DOWNSTREAM_TLS = f"{API}extensions.transport_sockets.tls.v3.DownstreamTlsContext"
UPSTREAM_HTTP = f"{API}extensions.upstreams.http.v3.HttpProtocolOptions"
ADS: Mapping[str, Any] = {"resource_api_version": "V3", "ads": {}}
PATIENCE = 15.0


def resource(type_url: str, name: str, fields: Mapping[str, Any]) -> Resource:
    """A resource out of its JSON form."""
    message: Message = json_format.ParseDict(dict(fields), MESSAGES[type_url]())
    return Resource.of(type_url, name, message.SerializeToString(deterministic=True))


def cluster(source: Mapping[str, Any]) -> Resource:
    """The one EDS cluster."""
    fields = {"name": "echo", "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": source}}
    return resource(CLUSTER, "echo", fields)


def endpoints(port: int) -> Resource:
    """The cluster's one endpoint, with all that gRPC insists on."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    locality = {
        "locality": {"region": "here"},
        "load_balancing_weight": 1,
        "lb_endpoints": [{"endpoint": {"address": address}, "health_status": "HEALTHY"}],
    }
    return resource(ENDPOINTS, "echo", {"cluster_name": "echo", "endpoints": [locality]})


def routes(*prefixes: str) -> Resource:
    """A route configuration that sends these prefixes to the cluster."""
    entries = [{"match": {"prefix": prefix}, "route": {"cluster": "echo"}} for prefix in prefixes]
    hosts = [{"name": "all", "domains": ["*"], "routes": entries}]
    return resource(ROUTE, "routes", {"name": "routes", "virtual_hosts": hosts})


def scope(name: str) -> Resource:
    """Requests whose x-scope header is `name` are routed by the route configuration."""
    fields = {"name": name, "key": {"fragments": [{"string_key": name}]}, "route_configuration_name": "routes"}
    return resource(SCOPED_ROUTE, name, fields)


def front_door(port: int, source: Mapping[str, Any]) -> Resource:
    """A TLS listener whose certificate and scopes come from the control plane, and whose scopes name their routes."""
    manager = {
        "@type": HTTP_MANAGER,
        "stat_prefix": "front",
        "scoped_routes": {
            "name": "scopes",
            "scope_key_builder": {"fragments": [{"header_value_extractor": {"name": "x-scope", "index": 0}}]},
            "rds_config_source": source,
            "scoped_rds": {"scoped_rds_config_source": source},
        },
        "http_filters": [ROUTER],
    }
    certificates = [{"name": "serving", "sds_config": source}]
    context = {"@type": DOWNSTREAM_TLS, "common_tls_context": {"tls_certificate_sds_secret_configs": certificates}}
    chain = {
        "filters": [{"name": "http", "typed_config": manager}],
        "transport_socket": {"name": "tls", "typed_config": context},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return resource(LISTENER, "front", {"name": "front", "address": address, "filter_chains": [chain]})


def serving(authority: CertificateAuthority) -> Resource:
    """A serving certificate for 127.0.0.1."""
    certificate, key = authority.issue("front", ip_addresses=["127.0.0.1"], client=False)
    pair = {
        "certificate_chain": {"inline_string": certificate.decode()},
        "private_key": {"inline_string": key.decode()},
    }
    return resource(SECRET, "serving", {"name": "serving", "tls_certificate": pair})


class ControlPlane:
    """The xDS server alone, and the snapshot it serves."""

    def __init__(self) -> None:
        self.port = 0
        self._cache = SnapshotCache()
        self._snapshot = Snapshot()

    def publish(self, *upserts: Resource, removed: tuple[ResourceName, ...] = ()) -> None:
        """Changes what clients shall have."""
        self._snapshot = self._cache.publish(self._snapshot.updated(upserts, removed))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serves on a free port."""
        service = XdsService(self._cache, XdsMetrics(CollectorRegistry()))
        server = grpc.aio.server(options=server_options())
        server.add_generic_rpc_handlers(service.handlers())
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield
        finally:
            await server.stop(None)


@asynccontextmanager
async def web_backend(name: str) -> AsyncIterator[int]:
    """An HTTP server that answers its name, by its port."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=name)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def grpc_backend(name: str) -> AsyncIterator[int]:
    """A gRPC server that answers its name, by its port."""

    async def who(_request: bytes, _context: object) -> bytes:
        return name.encode()

    server = grpc.aio.server()
    methods: Any = {"Who": grpc.unary_unary_rpc_method_handler(who)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def bootstrap(folder: Path, plane_port: int, api_type: str, source: Mapping[str, Any], api: object) -> Path:
    """Envoy's own configuration."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": plane_port}}
    http2 = {"@type": UPSTREAM_HTTP, "explicit_http_config": {"http2_protocol_options": {}}}
    xds = {
        "name": "xds",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": "xds",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    dynamic = {"cds_config": source, "lds_config": source, **({"ads_config": api} if "ads" in source else {})}
    document = {
        "node": {"id": f"envoy-{api_type}", "cluster": "test"},
        "dynamic_resources": dynamic,
        "static_resources": {"clusters": [xds]},
    }
    path = folder / "envoy.json"
    path.write_text(json.dumps(document))
    return path


@asynccontextmanager
async def process(
    *command: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child process that is ended with the `async with`."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Asks again and again until the answer is yes."""
    async with asyncio.timeout(PATIENCE):
        while not await true():  # noqa: ASYNC110 (neither client announces anything)
            await asyncio.sleep(0.005)
