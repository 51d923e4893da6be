"""The admin faces over real sockets: `isthmus status`, metrics and health."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import MappingProxyType

import aiohttp
import grpc
import pytest
import yaml
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry, Counter

from controlplane.admin.health import Check, Health
from controlplane.admin.pages import application
from controlplane.admin.reports import Reports
from controlplane.admin.service import handlers
from controlplane.aio import Watchable
from controlplane.cli import main
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.problem import Origin, Problem
from controlplane.model.resource import CLUSTER
from controlplane.model.topology import Api, Topology
from controlplane.registry.resolve import PASSED
from controlplane.xds.status import Withheld

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
    """The table is on stdout, problems are sentences on stderr, and JSON and YAML have both."""
    server = grpc.aio.server()
    topology = Watchable(a_topology())
    reports = Reports(
        topology=topology,
        problems=lambda: [PROBLEM],
        connected=tuple,
        epoch=lambda: 0.0,
        pause=asyncio.Event().wait,
    )
    faces = handlers(reports)
    server.add_generic_rpc_handlers(tuple(faces))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config = tmp_path / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')

    table = await asyncio.to_thread(CliRunner().invoke, main, ["status", "--config", str(config)])
    as_json = await asyncio.to_thread(CliRunner().invoke, main, ["status", "--config", str(config), "-o", "json"])
    as_yaml = await asyncio.to_thread(CliRunner().invoke, main, ["status", "--config", str(config), "-o", "yaml"])
    await server.stop(None)

    assert table.exit_code == 0
    assert "v1.a.io   ns/svc    True" in table.stdout
    assert f"{PROBLEM}\n" == table.stderr
    assert json.loads(as_json.stdout) == yaml.safe_load(as_yaml.stdout)
    assert json.loads(as_json.stdout)["problems"][0]["path"] == "a.yaml"
    assert json.loads(as_json.stdout)["apiServices"][0]["programmedReason"] == "NoProxies"


@pytest.mark.parametrize(
    ("options", "told", "left"),
    [
        ([], "Confirmed for proxy a and 1 more: 9 of 10 Cluster resources go now.\n", []),
        (["--group", "inner"], "Confirmed for proxy b: 9 of 10 Cluster resources go now.\n", ["edge"]),
        (["--group", ""], "No removals are withheld, so there is nothing to confirm.\n", ["edge", "inner"]),
    ],
)
async def test_withheld_removals_are_told_and_confirmed(
    options: list[str], told: str, left: list[str], tmp_path: Path
) -> None:
    """`isthmus status` names them until `isthmus confirm-removals` lets those of a group, or all, go."""
    waiting = [Withheld("a", "edge", CLUSTER, 9, 10), Withheld("b", "inner", CLUSTER, 9, 10)]

    def confirm(group: str | None) -> int:
        released = [one for one in waiting if group in (None, one.group)]
        for one in released:
            waiting.remove(one)
        return len(released)

    server = grpc.aio.server()
    reports = Reports(
        topology=Watchable(Topology()),
        problems=list,
        connected=tuple,
        withheld=lambda: waiting,
        confirm=confirm,
        epoch=lambda: 0.0,
        pause=asyncio.Event().wait,
    )
    faces = handlers(reports)
    server.add_generic_rpc_handlers(tuple(faces))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config = tmp_path / "isthmus.yaml"
    config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--config", str(config)])

    before, confirmed, after = await run("status"), await run("confirm-removals", *options), await run("status")
    await server.stop(None)

    assert before.stderr.count("9 of 10 Cluster resources would go from proxy") == 2
    assert (confirmed.exit_code, confirmed.stdout) == (0, told)
    assert [line.split(": ")[1] for line in after.stderr.splitlines()] == [f"node group {name}" for name in left]


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


async def test_the_pages_show_metrics_and_health() -> None:
    """/readyz follows its checks, /livez has none but its own, /metrics has what is in the registry."""
    registry, wrong = CollectorRegistry(), ["not yet"]
    Counter("isthmus_things", "Things.", registry=registry).inc()
    ready = Health("readyz", (Check("sources", lambda: wrong[0]),))
    pages = application(registry, Health("livez"), ready, tuple, lambda: 0.0)
    async with TestServer(pages) as server, aiohttp.ClientSession() as client:

        async def get(path: str) -> tuple[int, str]:
            async with client.get(server.make_url(path)) as response:
                return response.status, await response.text()

        failing = await get("/readyz")
        assert (500, "[+]ping ok\n[-]sources failed: reason withheld\nreadyz check failed\n") == failing
        assert await get("/readyz?exclude=sources") == (200, "ok")
        assert await get("/readyz/sources") == (500, "internal server error: not yet\n")
        wrong[0] = ""
        assert await get("/readyz") == (200, "ok")
        assert await get("/readyz?verbose") == (200, "[+]ping ok\n[+]sources ok\nreadyz check passed\n")
        assert await get("/readyz/sources") == (200, "ok")
        assert (await get("/readyz/other"))[0] == 404
        assert await get("/livez") == (200, "ok")
        assert await get("/livez/ping") == (200, "ok")
        assert "isthmus_things_total 1.0" in (await get("/metrics"))[1]
