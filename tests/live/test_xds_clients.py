"""Two clients that know nothing of each other, the real Envoy and gRPC's own resolver, are served the same way."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import structlog
from pki import CertificateAuthority
from stack import envoy_binary, free_port
from xds_clients import (
    ADS,
    HTTP_MANAGER,
    PATIENCE,
    ROUTER,
    ControlPlane,
    bootstrap,
    cluster,
    endpoints,
    front_door,
    grpc_backend,
    process,
    resource,
    routes,
    scope,
    serving,
    until,
    web_backend,
)

from controlplane.model.resource import LISTENER, SCOPED_ROUTE, ResourceName


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keeps the log out of the tests' output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    """A control plane that serves nothing yet."""
    running = ControlPlane()
    async with running.serving():
        yield running


@pytest.mark.parametrize("aggregated", [True, False], ids=["aggregated", "per-type"])
@pytest.mark.parametrize("api_type", ["GRPC", "DELTA_GRPC"])
async def test_envoy_is_served_and_follows(
    plane: ControlPlane, tmp_path: Path, api_type: str, aggregated: bool
) -> None:
    """LDS, SRDS, RDS, CDS, EDS and SDS make an HTTPS route; then an endpoint moves, a route goes and a scope goes."""
    api = {
        "api_type": api_type,
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
    }
    source = ADS if aggregated else {"resource_api_version": "V3", "api_config_source": api}
    authority, port = CertificateAuthority("servers"), free_port()
    trust = ssl.create_default_context(cadata=authority.certificate.decode())
    config = bootstrap(tmp_path, plane.port, api_type, source, api)
    async with (
        web_backend("first") as first,
        web_backend("second") as second,
        process(envoy_binary(), "-c", str(config), "--disable-hot-restart", "--concurrency", "1"),
        aiohttp.ClientSession() as session,
    ):

        async def get(path: str, name: str) -> str:
            url = f"https://127.0.0.1:{port}{path}"
            try:
                async with session.get(url, headers={"x-scope": name}, ssl=trust) as answer:
                    return await answer.text() if answer.status == 200 else str(answer.status)
            except aiohttp.ClientConnectionError:
                return ""

        async def becomes(wanted: str, path: str, name: str) -> None:
            async def same() -> bool:
                return await get(path, name) == wanted

            await until(same)

        plane.publish(front_door(port, source), serving(authority), scope("a"), scope("b"))
        plane.publish(cluster(source), endpoints(first), routes("/kept", "/gone"))
        for path in ("/kept", "/gone"):
            await becomes("first", path, "a")
        await becomes("first", "/kept", "b")
        plane.publish(endpoints(second))
        await becomes("second", "/kept", "a")
        plane.publish(routes("/kept"))
        await becomes("404", "/gone", "a")
        plane.publish(removed=(ResourceName(SCOPED_ROUTE, "b"),))
        await becomes("404", "/kept", "b")

        assert await get("/kept", "a") == "second"


CALLER = """
import sys
import grpc

with grpc.insecure_channel("xds:///echo.example.com") as channel:
    who = channel.unary_unary("/test.Echo/Who")
    for _ in sys.stdin:
        print(who(b"", wait_for_ready=True, timeout=15).decode(), flush=True)
"""


async def test_grpc_resolver_is_served_and_follows(plane: ControlPlane) -> None:
    """A channel to `xds:///` finds its server by LDS, RDS, CDS and EDS, and its calls move with the endpoint."""
    manager = {
        "@type": HTTP_MANAGER,
        "rds": {"route_config_name": "routes", "config_source": ADS},
        "http_filters": [ROUTER],
    }
    name = "echo.example.com"
    server = {"server_uri": f"127.0.0.1:{plane.port}", "channel_creds": [{"type": "insecure"}]}
    settings = {"xds_servers": [{**server, "server_features": ["xds_v3"]}], "node": {"id": "grpc"}}
    async with (
        grpc_backend("first") as first,
        grpc_backend("second") as second,
        # gRPC reads its bootstrap once for the life of a process.
        process(
            sys.executable, "-c", CALLER, environment={"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(settings)}
        ) as caller,
    ):

        async def answer() -> str:
            assert caller.stdin is not None
            assert caller.stdout is not None
            caller.stdin.write(b"\n")
            return (await caller.stdout.readline()).decode().strip()

        plane.publish(resource(LISTENER, name, {"name": name, "api_listener": {"api_listener": manager}}))
        plane.publish(routes(""), cluster(ADS), endpoints(first))
        async with asyncio.timeout(PATIENCE):
            before = await answer()
        plane.publish(endpoints(second))

        async def moved() -> bool:
            return await answer() == "second"

        await until(moved)

    assert before == "first"
