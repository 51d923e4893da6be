"""Status of proxies over real gRPC: two streams, and everything that tells how far they are."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import grpc
import pytest
import structlog
import yaml
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from prometheus_client import CollectorRegistry

from controlplane.admin.health import Health
from controlplane.admin.pages import application
from controlplane.admin.reports import Reports
from controlplane.admin.service import handlers as status_handlers
from controlplane.aio import Watchable
from controlplane.api.v1 import status_pb2
from controlplane.cli import main
from controlplane.model.proxy import Proxy
from controlplane.model.resource import CLUSTER, SECRET, EnvoyResource, ResourceName
from controlplane.model.topology import Topology
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.report import proxies
from controlplane.xds.service import XdsService

AGGREGATED = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
SETTINGS = """
frontDoor: {certificateFile: a, privateKeyFile: b}
manifests: m
xds: {listen: "unix:/x"}
authorization: {listen: "unix:/a"}
discovery: {listen: "unix:/d"}
"""
KEY = b"-----BEGIN PRIVATE KEY-----"


class ControlPlane:
    """A server with the xDS and admin faces on one port, its settings file, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.cache = SnapshotCache()
        self.xds = XdsService(self.cache, XdsMetrics(CollectorRegistry()))
        self.config = folder / "isthmus.yaml"
        self.looks: asyncio.Queue[None] = asyncio.Queue()
        self.waiting = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            (
                *self.xds.handlers(),
                *status_handlers(
                    Reports(
                        topology=Watchable(Topology()),
                        problems=list,
                        connected=self.connected,
                        epoch=lambda: 0.0,
                        pause=self.pause,
                    )
                ),
            )
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.config.write_text(f'{SETTINGS}admin: {{listen: "127.0.0.1:{port}"}}\n')
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self._server.stop(None)

    async def pause(self) -> None:
        """Lets a watch look again once there is something in `looks`."""
        if self.looks.empty():
            self.waiting.set()
        await self.looks.get()

    def connected(self) -> tuple[Proxy, ...]:
        """What `app` would tell."""
        return proxies(self.xds.statuses())

    def states(self) -> dict[str, str]:
        """The state of each proxy."""
        return {proxy.node_id: proxy.state.value for proxy in self.connected()}

    async def connect(self, node_id: str, type_url: str, *, reject: str = "") -> grpc.aio.StreamStreamCall[Any, Any]:
        """Opens a stream that answers the first response, by a NACK for the reason `reject` if there is one."""
        call = self.channel.stream_stream(
            AGGREGATED, DeltaDiscoveryRequest.SerializeToString, DeltaDiscoveryResponse.FromString
        )()
        request = DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=["*"])
        request.node.id = node_id
        await call.write(request)
        first = await call.read()
        answer = DeltaDiscoveryRequest(type_url=type_url, response_nonce=first.nonce)
        if reject:
            answer.error_detail.message = reject
        await call.write(answer)
        return call

    async def run(self, *options: str) -> Result:
        """Runs `isthmus proxies`."""
        arguments = ["proxies", "--config", str(self.config), *options]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keeps the log out of the tests' output."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """A control plane with one cluster and one secret."""
    async with asyncio.timeout(30), ControlPlane(tmp_path) as running:
        resources = [
            EnvoyResource(ResourceName(CLUSTER, "a"), b"1"),
            EnvoyResource(ResourceName(SECRET, "front-proxy"), KEY),
        ]
        running.cache.publish(Snapshot().updated(resources))
        yield running


@pytest.fixture
async def two(plane: ControlPlane) -> ControlPlane:
    """The same with two proxies: one holds the cluster, the other rejected the secret."""
    good = await plane.connect("envoy-1", CLUSTER)
    bad = await plane.connect("envoy-2", SECRET, reject="not a key")
    await until(lambda: plane.states() == {"envoy-1": "SYNCED", "envoy-2": "REJECTED"})
    assert not good.done()
    assert not bad.done()
    return plane


async def until(true: Callable[[], bool]) -> None:
    """Lets the event loop run until something is true."""
    while not true():  # noqa: ASYNC110 (nothing announces that a request has been worked on)
        await asyncio.sleep(0)


async def test_isthmus_proxies_prints_a_table(two: ControlPlane) -> None:
    """A line a proxy, and below it why a resource is missing."""
    result = await two.run()
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert [line.split() for line in lines[:3]] == [
        ["NODE", "CLUSTER", "VERSION", "CDS", "EDS", "LDS", "SRDS", "SDS", "ECDS"],
        ["envoy-1", "-", "-", "SYNCED", "-", "-", "-", "-", "-"],
        ["envoy-2", "-", "-", "-", "-", "-", "-", "REJECTED", "-"],
    ]
    assert lines[3].startswith("envoy-2: Secret front-proxy (version ")
    assert lines[3].endswith(") was rejected: not a key")


async def test_isthmus_proxies_prints_json_and_yaml_alike(two: ControlPlane) -> None:
    """The two are one document, and it is that of the page /proxies."""
    as_json, as_yaml = await two.run("-o", "json"), await two.run("-o", "yaml")
    pages = application(CollectorRegistry(), Health("livez"), Health("readyz"), two.connected, lambda: 0.0)
    async with (
        TestServer(pages) as server,
        aiohttp.ClientSession() as client,
        client.get(server.make_url("/proxies")) as answer,
    ):
        page = await answer.json()
    document = json.loads(as_json.stdout)

    assert [proxy["state"] for proxy in document["proxies"]] == ["SYNCED", "REJECTED"]
    assert document == yaml.safe_load(as_yaml.stdout)
    assert document == page


async def test_isthmus_proxies_says_when_nobody_is_connected(plane: ControlPlane) -> None:
    """A control plane without proxies is no error."""
    result = await plane.run()

    assert (result.exit_code, result.stdout) == (0, "no proxies connected\n")


async def test_isthmus_proxies_watches_until_interrupted(plane: ControlPlane) -> None:
    """Every change is printed once, none is none, and Ctrl-C is the ordinary end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controlplane", "proxies", "--config", str(plane.config), "--watch"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    for _ in range(3):
        plane.looks.put_nowait(None)
    plane.waiting.clear()
    await plane.waiting.wait()
    call = await plane.connect("envoy-1", CLUSTER)
    await until(lambda: plane.states() == {"envoy-1": "SYNCED"})
    plane.looks.put_nowait(None)
    second = [await process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    rest, errors = await process.communicate()
    call.cancel()

    assert first == b"no proxies connected\n"
    assert [line.split()[:4] for line in second] == [
        [],
        [b"NODE", b"CLUSTER", b"VERSION", b"CDS"],
        [b"envoy-1", b"-", b"-", b"SYNCED"],
    ]
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def test_watch_tells_changes_and_nothing_else(plane: ControlPlane) -> None:
    """A look that finds nothing new sends nothing."""
    call = plane.channel.unary_stream(
        "/controlplane.api.v1.StatusService/WatchProxies",
        status_pb2.ListProxiesRequest.SerializeToString,
        status_pb2.ListProxiesResponse.FromString,
    )(status_pb2.ListProxiesRequest())
    first = await call.read()
    for _ in range(3):
        plane.looks.put_nowait(None)
    plane.waiting.clear()
    await plane.waiting.wait()
    proxy = await plane.connect("envoy-1", CLUSTER)
    await until(lambda: plane.states() == {"envoy-1": "SYNCED"})
    plane.looks.put_nowait(None)
    second = await call.read()
    call.cancel()
    proxy.cancel()

    assert [list(first.proxies), [told.state for told in second.proxies]] == [[], ["SYNCED"]]


async def test_watch_that_loses_its_control_plane_says_so(tmp_path: Path) -> None:
    """One sentence, and an exit code that is not that of Ctrl-C."""
    async with ControlPlane(tmp_path) as plane:
        watching = asyncio.create_task(plane.run("--watch"))
        await plane.waiting.wait()
    result = await watching

    assert (result.exit_code, result.stdout) == (1, "no proxies connected\n")
    assert result.stderr.startswith("no control plane answers at 127.0.0.1:")
