"""What docs/embedding.md promises: its own code, driven by a client that knows nothing but gRPC and protobuf."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)
from prometheus_client import CollectorRegistry
from xds_face import Opener

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.service import XdsService, server_options

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "embedding" / "server.py"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "embedding.md").read_text(), re.MULTILINE | re.DOTALL)
AGGREGATED = "/envoy.service.discovery.v3.AggregatedDiscoveryService"
PATIENCE = 10

Response: TypeAlias = DeltaDiscoveryResponse | DiscoveryResponse


class Client:
    """One stream, delta or state of the world, that acknowledges whatever it reads."""

    def __init__(self, address: str, *, delta: bool, node: str, type_url: str) -> None:
        self._delta, self._node, self._type_url = delta, node, type_url
        self._names: tuple[str, ...] = ()
        self._channel = grpc.aio.insecure_channel(address)
        variant = "Delta" if delta else "Stream"
        self._call: Any = self._channel.stream_stream(
            f"{AGGREGATED}/{variant}AggregatedResources",
            (DeltaDiscoveryRequest if delta else DiscoveryRequest).SerializeToString,
            (DeltaDiscoveryResponse if delta else DiscoveryResponse).FromString,
        )()

    async def subscribe(self, *names: str) -> None:
        """Sends the first request."""
        self._names = names
        node = {"id": "client", "cluster": self._node}
        if self._delta:
            request = DeltaDiscoveryRequest(type_url=self._type_url, resource_names_subscribe=names, node=node)
        else:
            request = DiscoveryRequest(type_url=self._type_url, resource_names=names, node=node)
        await self._call.write(request)

    async def read(self, *, error: str = "") -> Response:
        """The next response, acknowledged, or rejected when there is an error."""
        async with asyncio.timeout(PATIENCE):
            response: Response = await self._call.read()
        if self._delta:
            request = DeltaDiscoveryRequest(type_url=self._type_url, response_nonce=response.nonce)
        else:
            request = DiscoveryRequest(
                type_url=self._type_url,
                resource_names=self._names,
                response_nonce=response.nonce,
                version_info=response.version_info,
            )
        if error:
            request.error_detail.message = error
        await self._call.write(request)
        return response

    async def code(self) -> grpc.StatusCode:
        """The status that the server ends the stream with."""
        async with asyncio.timeout(PATIENCE):
            code: grpc.StatusCode = await self._call.code()
        return code

    async def close(self) -> None:
        """Ends the stream and the connection."""
        await self._channel.close()


@asynccontextmanager
async def connected(address: str, *, delta: bool, node: str = "", type_url: str = CLUSTER) -> AsyncIterator[Client]:
    """A client of that server."""
    client = Client(address, delta=delta, node=node, type_url=type_url)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def example() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The example as a process, and its address."""
    folder = Path(tempfile.mkdtemp(prefix="embed", dir="/tmp"))
    address = f"unix:{folder / 'xds.sock'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), address, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == f"serving on {address}\n".encode()
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(folder)


async def type_in(process: asyncio.subprocess.Process, text: str) -> None:
    """Types a line into the example."""
    assert process.stdin is not None
    process.stdin.write(text.encode())
    await process.stdin.drain()


@pytest.fixture
async def state() -> AsyncIterator[tuple[Any, str]]:
    """The page's `State`, on a server with the page's own choice of groups, and its address."""
    cache = SnapshotCache()
    names: dict[str, Any] = {"cache": cache, "XdsService": XdsService, "XdsMetrics": XdsMetrics}
    names["CollectorRegistry"] = CollectorRegistry
    exec(BLOCKS[1], names)  # noqa: S102 (the page's code is what is tested)
    exec(BLOCKS[2], names)  # noqa: S102 (the same)
    server = grpc.aio.server(options=server_options())
    server.add_generic_rpc_handlers(names["service"].handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield names["State"](cache), f"127.0.0.1:{port}"
    await server.stop(None)


def versions(response: DeltaDiscoveryResponse) -> dict[str, str]:
    """What a delta response brings, by name."""
    return {resource.name: resource.version for resource in response.resources}


def bare(name: str) -> tuple[str, str, str, bytes]:
    """A cluster with nothing but a name."""
    return CLUSTER, name, "1", Cluster(name=name).SerializeToString()


def test_page_shows_the_example() -> None:
    """The page's server is the file, line for line."""
    assert EXAMPLE.read_text() == BLOCKS[0]


async def test_example_serves_delta_and_one_change(example: tuple[asyncio.subprocess.Process, str]) -> None:
    """Both clusters come with the versions they were given, then the changed one alone with its next."""
    process, address = example
    async with connected(address, delta=True) as client:
        await client.subscribe()
        first = await client.read()
        await type_in(process, "2\n")
        second = await client.read()

    assert versions(first) == {"a": "1", "b": "1"}
    assert versions(second) == {"a": "2"}
    assert Cluster(name="a") == Cluster.FromString(second.resources[0].resource.value)


async def test_example_serves_state_of_the_world_and_one_change(
    example: tuple[asyncio.subprocess.Process, str],
) -> None:
    """Both clusters come whole each time, under the version that the caller gave to what is new."""
    process, address = example
    async with connected(address, delta=False) as client:
        await client.subscribe()
        first = await client.read()
        await type_in(process, "2\n")
        second = await client.read()

    for response in (first, second):
        assert [Cluster.FromString(resource.value).name for resource in response.resources] == ["a", "b"]
    assert (first.version_info, second.version_info) == ("1", "2")


async def test_example_ends_with_its_input(example: tuple[asyncio.subprocess.Process, str]) -> None:
    """When standard input ends, the server ends well."""
    process, _ = example
    assert process.stdin is not None
    process.stdin.close()

    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0


async def test_delta_clients_follow_resource_by_resource(state: tuple[Any, str]) -> None:
    """Added, given another version and removed: each is one resource on the wire, and versions are the caller's."""
    wanted, address = state
    wanted.set("edge", [bare("a"), bare("b")])
    async with connected(address, delta=True, node="edge") as client:
        await client.subscribe()
        first = await client.read()
        wanted.put("edge", CLUSTER, "c", "from-here", b"")
        added = await client.read()
        wanted.put("edge", *bare("b"))
        wanted.put("edge", CLUSTER, "a", "again", bare("a")[3])
        changed = await client.read()
        wanted.remove("edge", CLUSTER, "b")
        removed = await client.read()
        wanted.set("edge", [bare("b"), bare("d")])
        replaced = await client.read()
        gone = await client.read()

    assert versions(first) == {"a": "1", "b": "1"}
    assert versions(added) == {"c": "from-here"}
    assert versions(changed) == {"a": "again"}
    assert (list(removed.removed_resources), versions(removed)) == (["b"], {})
    assert versions(replaced) == {"b": "1", "d": "1"}
    assert sorted(gone.removed_resources) == ["a", "c"]


@pytest.mark.parametrize(("type_url", "after"), [(CLUSTER, [b"2", b"y"]), (ENDPOINTS, [b"2"])])
async def test_state_of_the_world_clients_follow(state: tuple[Any, str], type_url: str, after: list[bytes]) -> None:
    """A change of one cluster brings all that is subscribed to, of one load assignment that one alone."""
    wanted, address = state
    wanted.set("", [(type_url, "x", "1", b"1"), (type_url, "y", "1", b"y"), (type_url, "z", "1", b"z")])
    async with connected(address, delta=False, type_url=type_url) as client:
        await client.subscribe("x", "y")
        first = await client.read()
        wanted.put("", type_url, "z", "2", b"z2")
        wanted.put("", type_url, "x", "2", b"2")
        second = await client.read()

    assert sorted(resource.value for resource in first.resources) == [b"1", b"y"]
    assert sorted(resource.value for resource in second.resources) == after


async def test_groups_know_nothing_of_each_other(state: tuple[Any, str]) -> None:
    """A node follows the snapshot of its cluster's group; a group without one is refused, not served nothing."""
    wanted, address = state
    wanted.set("edge", [bare("a")])
    wanted.set("core", [bare("b")])
    async with (
        connected(address, delta=True, node="edge") as edge,
        connected(address, delta=True, node="core") as core,
        connected(address, delta=True, node="elsewhere") as elsewhere,
    ):
        for client in (edge, core, elsewhere):
            await client.subscribe()
        first = [versions(await edge.read()), versions(await core.read())]
        wanted.put("core", CLUSTER, "c", "7", b"")
        wanted.put("edge", CLUSTER, "e", "8", b"")
        second = [versions(await edge.read()), versions(await core.read())]
        refused = await elsewhere.code()

    assert first == [{"a": "1"}, {"b": "1"}]
    assert second == [{"e": "8"}, {"c": "7"}]
    assert refused == grpc.StatusCode.UNAVAILABLE


async def test_rejected_content_is_followed_by_other_content(state: tuple[Any, str]) -> None:
    """A rejected version is not sent to that client again, but to others; the next is, with the same bytes too."""
    wanted, address = state
    wanted.set("", [bare("a"), bare("b")])
    async with connected(address, delta=True) as strict, connected(address, delta=True) as other:
        await strict.subscribe("a")
        await strict.read(error="no such cluster")
        await other.subscribe("*")
        first = await other.read()
        wanted.put("", CLUSTER, "b", "2", bare("b")[3])
        await other.read()
        wanted.put("", CLUSTER, "a", "2", bare("a")[3])
        second = await strict.read()

    assert versions(first) == {"a": "1", "b": "1"}
    assert versions(second) == {"a": "2"}


async def test_rejections_may_be_shared(open_face: Opener) -> None:
    """Then a rejected version goes to nobody of the group, on no later stream, and who asked for it is told so."""
    face = await open_face(shares_rejections=True)
    face.cache.publish(Snapshot.of([bare("a"), bare("b")]))
    async with connected(face.address, delta=True) as strict:
        await strict.subscribe("a")
        await strict.read(error="no such cluster")
        told = await strict.read()
    async with connected(face.address, delta=True) as other:
        await other.subscribe("*")
        first = await other.read()

    assert list(told.removed_resources) == ["a"]
    assert versions(first) == {"b": "1"}
    assert ["a"] == [rejection.key.name for rejection in face.service.rejections()]
