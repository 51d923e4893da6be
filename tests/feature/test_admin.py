"""The admin faces over real sockets: `isthmus status`, metrics and health."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import MappingProxyType

import aiohttp
import grpc
import pytest
from aiohttp.test_utils import TestServer
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, Counter

from controlplane.admin.pages import application
from controlplane.admin.service import handlers
from controlplane.aio import Watchable
from controlplane.cli import main
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.problem import Origin, Problem
from controlplane.model.topology import Api, Topology
from controlplane.registry.resolve import PASSED

PROBLEM = Problem(Origin("a.yaml", 2), "Service ns/svc", "spec.ports", "Required value", "list a port")
SETTINGS = """
frontDoor: {certificateFile: a, privateKeyFile: b}
manifests: m
xds: {listen: "unix:/x"}
authorization: {listen: "unix:/a"}
discovery: {listen: "unix:/d"}
"""


def a_topology() -> Topology:
    """One APIService."""
    api = Api(ApiService(GroupVersion("a.io", "v1"), 1000, 10, ServiceReference("ns", "svc")), PASSED)
    return Topology(generation=1, apis=MappingProxyType({api.service.group_version: api}))


async def test_isthmus_status_shows_registrations_and_problems(tmp_path: Path) -> None:
    """The table is on stdout, problems are sentences on stderr, and JSON has both."""
    server = grpc.aio.server()
    topology = Watchable(a_topology())
    faces = handlers(topology, lambda: [PROBLEM], tuple, epoch=lambda: 0.0, pause=asyncio.Event().wait)
    server.add_generic_rpc_handlers(tuple(faces))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config = tmp_path / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')

    table = await asyncio.to_thread(CliRunner().invoke, main, ["status", "--config", str(config)])
    as_json = await asyncio.to_thread(CliRunner().invoke, main, ["status", "--config", str(config), "-o", "json"])
    await server.stop(None)

    assert table.exit_code == 0
    assert "v1.a.io   ns/svc    True" in table.stdout
    assert f"{PROBLEM}\n" == table.stderr
    assert '"path": "a.yaml"' in as_json.stdout


@pytest.mark.parametrize(
    ("admin", "sentence"),
    [
        ("", "admin is not set, so nobody can ask; set admin.listen to an address"),
        ('admin: {listen: "unix:/nowhere/admin.sock"}', "no control plane answers at unix:/nowhere/admin.sock"),
    ],
)
def test_isthmus_status_says_why_it_cannot(admin: str, sentence: str, tmp_path: Path) -> None:
    """No admin face, and nobody behind it, are one sentence each."""
    config = tmp_path / "isthmus.yaml"
    config.write_text(f"{SETTINGS}{admin}\n")

    result = CliRunner().invoke(main, ["status", "--config", str(config)])

    assert result.exit_code != 0
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


async def test_the_pages_show_metrics_and_readiness() -> None:
    """/readyz follows what it is told, /livez is always there, /metrics has what is in the registry."""
    registry, ready = CollectorRegistry(), [False]
    Counter("isthmus_things", "Things.", registry=registry).inc()
    async with (
        TestServer(application(registry, lambda: ready[0], tuple, lambda: 0.0)) as server,
        aiohttp.ClientSession() as client,
    ):

        async def get(path: str) -> tuple[int, str]:
            async with client.get(server.make_url(path)) as response:
                return response.status, await response.text()

        assert (await get("/readyz"))[0] == 503
        ready[0] = True
        assert await get("/readyz") == (200, "ok")
        assert await get("/livez") == (200, "ok")
        assert "isthmus_things_total 1.0" in (await get("/metrics"))[1]
