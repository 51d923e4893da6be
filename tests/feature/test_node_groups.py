"""Node groups over real gRPC: from registrations to what each group's clients are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import grpc
import pytest
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from xds_face import Face, Opener, until, within

from controlplane.aio import Watchable
from controlplane.groups import views
from controlplane.model.apiservice import ApiService, GroupVersion, ServiceReference
from controlplane.model.change import Change, CredentialsChanged, ObjectKey, Synced, Upsert
from controlplane.model.credentials import Credentials, KeyPair, Secret
from controlplane.model.policy import Policy
from controlplane.model.proxy import Proxy, ProxyState
from controlplane.model.resource import CLUSTER, ENDPOINTS, LISTENER, SCOPED_ROUTE
from controlplane.model.service import EndpointSlice, Service, ServiceName, ServicePort, SliceEndpoint, SlicePort
from controlplane.model.topology import Topology
from controlplane.pipeline import Pipeline
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.settings.groups import NodeGroup, described, group_of, metadata_keys
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator
from controlplane.xds.report import proxies

GROUPS = tuple(
    NodeGroup.model_validate(group)
    for group in (
        {"name": "edge", "nodes": {"cluster": "edge"}, "apiServices": {"matchLabels": {"at": "edge"}}},
        {
            "name": "dc",
            "nodes": {"metadata": {"place.kind": "dc"}},
            "apiServices": {"matchLabels": {"at": "dc"}},
            "frontDoor": {"port": 9443},
        },
    )
)
PAIR = KeyPair(b"chain", Secret(b"key"))
CREDENTIALS = CredentialsChanged(Credentials(PAIR, front_proxy=PAIR, system_roots=b"roots"))


def api(group: str, at: str, service: str = "svc") -> Upsert:
    """An APIService, labelled with where it is served."""
    spec = ApiService(GroupVersion(group, "v1"), 1000, 10, ServiceReference("ns", service), labels=(("at", at),))
    return Upsert(ObjectKey("APIService", "", spec.name), spec)


def backend(service: str = "svc") -> list[Upsert]:
    """A Service and its only endpoint."""
    name = ServiceName("ns", service)
    endpoint = SliceEndpoint(("10.0.0.1",))
    return [
        Upsert(ObjectKey("Service", "ns", service), Service(name, "10.0.0.9", ports=(ServicePort("https", 443),))),
        Upsert(
            ObjectKey("EndpointSlice", "ns", service),
            EndpointSlice("ns", service, name, "IPv4", (endpoint,), (SlicePort("https", 6443),)),
        ),
    ]


class Script:
    """A source that says what the test puts in."""

    name = "script"

    def __init__(self) -> None:
        self._batches: asyncio.Queue[Sequence[Change]] = asyncio.Queue()

    def say(self, *changes: Change) -> None:
        """Says a batch."""
        self._batches.put_nowait(changes)

    async def changes(self) -> AsyncIterator[Sequence[Change]]:
        """What was said, in order, without end."""
        while True:
            yield await self._batches.get()


class Client:
    """A delta client that subscribes as an Envoy does and acknowledges everything but the cluster it `rejects`."""

    def __init__(self, face: Face, node_id: str, *, cluster: str = "", kind: str = "", rejects: str = "") -> None:
        self.log: list[tuple[str, list[str], list[str]]] = []
        """Type, names sent and names removed of every response."""
        self.listeners: list[bytes] = []
        self._rejects = rejects
        self._call = face.delta()
        self._node = node_id, cluster, kind
        self._read = asyncio.Condition()

    async def run(self) -> None:
        """Subscribes, and answers until cancelled."""
        first = DeltaDiscoveryRequest(type_url=CLUSTER)
        first.node.id, first.node.cluster, kind = self._node
        first.node.metadata.update({"place": {"kind": kind}})
        await self._call.write(first)
        for type_url in (LISTENER, SCOPED_ROUTE):
            await self._call.write(DeltaDiscoveryRequest(type_url=type_url))
        while response := await self._call.read():
            sent = [entry.name for entry in response.resources]
            answer = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
            if response.type_url == CLUSTER:
                # An Envoy acknowledges a cluster once it has asked for its load assignment.
                asked = [name for name in sent if name.startswith("backend/")]
                if asked:
                    await self._call.write(DeltaDiscoveryRequest(type_url=ENDPOINTS, resource_names_subscribe=asked))
                if self._rejects in sent:
                    answer.error_detail.message = "no"
            await self._call.write(answer)
            if response.type_url == LISTENER:
                self.listeners += [entry.resource.value for entry in response.resources]
            async with self._read:
                self.log.append((response.type_url, sent, list(response.removed_resources)))
                self._read.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the responses so far are as wanted."""
        async with within(10), self._read:
            await self._read.wait_for(condition)

    def held(self, type_url: str) -> set[str]:
        """The names that the responses so far come to."""
        names: set[str] = set()
        for kind, sent, removed in self.log:
            if kind == type_url:
                names = (names | set(sent)) - set(removed)
        return names

    def position(self, type_url: str, name: str, *, removed: bool = False) -> int:
        """Which response sent or removed it."""
        return next(
            number
            for number, (kind, sent, gone) in enumerate(self.log)
            if kind == type_url and name in (gone if removed else sent)
        )


class Plane:
    """A pipeline of two groups behind a real xDS server."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.script = Script()
        translator = Translator(
            FrontDoor("127.0.0.1", 8443, Scripts("", "", "", ""), asks_for_client_certificates=False),
            authorization=Address.parse("unix:/run/authorization.sock"),
            discovery=Address.parse("unix:/run/discovery.sock"),
        )
        self._pipeline = Pipeline(
            registry=Registry(dns_template="{name}.{namespace}.svc", core=None),
            translator=translator,
            topology=Watchable(Topology()),
            policy=Watchable(Policy()),
            snapshots=face.cache,
            log=structlog.get_logger("test"),
            groups=views(GROUPS, translator),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, *changes: Change) -> None:
        """Starts with these registrations."""
        self._tasks.append(asyncio.create_task(self._pipeline.run([self.script])))
        self.script.say(CREDENTIALS, *changes, Synced(self.script.name))
        async with within(10):
            await self._pipeline.topology.changed(self._pipeline.topology.value)

    async def connect(self, node_id: str, **options: str) -> Client:
        """A client that has its first clusters, listener and routes."""
        client = Client(self.face, node_id, **options)
        self._tasks.append(asyncio.create_task(client.run()))
        await client.until(lambda: "core" in client.held(SCOPED_ROUTE))
        return client

    async def stop(self) -> None:
        """Ends what was started."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def proxies(self) -> dict[str, Proxy]:
        """What is told of the proxies."""
        return {proxy.node_id: proxy for proxy in proxies(self.face.service.statuses())}


@pytest.fixture
async def plane(open_face: Opener) -> AsyncIterator[Plane]:
    """A plane that has not started yet."""
    face = await open_face(
        group_of=lambda node: group_of(GROUPS, node.cluster, dict(node.metadata)),
        keys=metadata_keys(GROUPS),
        looked_for=described(GROUPS),
    )
    plane = Plane(face)
    yield plane
    await plane.stop()


@pytest.fixture
def logs() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged."""
    with structlog.testing.capture_logs() as captured:
        yield captured


async def refusal(face: Face, **node: str) -> tuple[grpc.StatusCode, str]:
    """How a stream of such a node ends."""
    call = face.delta()
    request = DeltaDiscoveryRequest(type_url=CLUSTER)
    request.node.id, request.node.cluster = node.get("id", ""), node.get("cluster", "")
    await call.write(request)
    async with within(5):
        return await call.code(), await call.details()


async def test_each_group_is_sent_its_own_apis_and_nothing_else(plane: Plane) -> None:
    """One group by cluster, one by nested metadata: routes, clusters, load assignments, and a listener each."""
    await plane.start(api("a.io", "edge", "x"), api("b.io", "dc", "y"), api("c.io", ""), *backend("x"), *backend("y"))
    edge = await plane.connect("envoy-1", cluster="edge")
    dc = await plane.connect("envoy-2", kind="dc")
    await edge.until(lambda: len(edge.held(SCOPED_ROUTE)) > 1)
    await dc.until(lambda: len(dc.held(SCOPED_ROUTE)) > 1)

    assert {"a.io/v1", "core"} == edge.held(SCOPED_ROUTE)
    assert {"b.io/v1", "core"} == dc.held(SCOPED_ROUTE)
    assert {"backend/ns/x/443/system"} == {name for name in edge.held(CLUSTER) if name.startswith("backend/")}
    assert ({"backend/ns/x/443/system"}, {"backend/ns/y/443/system"}) == (edge.held(ENDPOINTS), dc.held(ENDPOINTS))
    assert (1, 1) == (len(edge.listeners), len(dc.listeners))
    assert edge.listeners != dc.listeners


async def test_a_registration_reaches_its_group_alone(plane: Plane) -> None:
    """The others are not sent a byte, and their generation stays."""
    await plane.start()
    edge = await plane.connect("envoy-1", cluster="edge")
    dc = await plane.connect("envoy-2", kind="dc")
    before = len(dc.log), plane.face.cache.latest("dc")
    plane.script.say(api("a.io", "edge"))
    await edge.until(lambda: "a.io/v1" in edge.held(SCOPED_ROUTE))

    assert before == (len(dc.log), plane.face.cache.latest("dc"))


async def test_a_changed_label_moves_an_api_without_a_gap_on_either_side(plane: Plane) -> None:
    """It is made where it comes before it is used, and broken where it goes after it is used."""
    await plane.start(api("a.io", "edge"), *backend())
    edge = await plane.connect("envoy-1", cluster="edge")
    dc = await plane.connect("envoy-2", kind="dc")
    await edge.until(lambda: {"a.io/v1", "core"} == edge.held(SCOPED_ROUTE))
    plane.script.say(api("a.io", "dc"))
    cluster, scope = "backend/ns/svc/443/system", "a.io/v1"
    await dc.until(lambda: scope in dc.held(SCOPED_ROUTE))
    await edge.until(lambda: cluster not in edge.held(CLUSTER))

    made = [(CLUSTER, cluster), (ENDPOINTS, cluster), (SCOPED_ROUTE, scope)]
    assert sorted(dc.position(*name) for name in made) == [dc.position(*name) for name in made]
    assert edge.position(SCOPED_ROUTE, scope, removed=True) < edge.position(CLUSTER, cluster, removed=True)
    assert {"core"} == edge.held(SCOPED_ROUTE)


async def test_a_node_that_fits_no_group_is_refused_and_told_why(
    plane: Plane, logs: list[structlog.typing.EventDict]
) -> None:
    """The message says who it is and what is looked for, and the log has it once."""
    await plane.start()
    code, details = await refusal(plane.face, id="envoy-9", cluster="other")

    reason = (
        'node "envoy-9" with cluster "other" fits no node group '
        '(edge: cluster "edge"; dc: metadata place.kind "dc"); '
        "correct node.cluster and node.metadata in its bootstrap, or let a group take such nodes"
    )
    assert (grpc.StatusCode.PERMISSION_DENIED, reason) == (code, details)
    assert [("envoy-9", reason)] == [
        (line["node"], line["reason"]) for line in logs if line["event"] == "xds stream refused"
    ]
    assert [] == plane.face.service.statuses()


async def test_a_node_without_an_id_is_an_error_of_the_client_in_any_case(plane: Plane) -> None:
    """Even if its cluster would fit: nobody could tell whose stream it is."""
    await plane.start()
    code, details = await refusal(plane.face, cluster="edge")

    assert grpc.StatusCode.INVALID_ARGUMENT is code
    assert "node.id" in details


async def test_groups_are_served_nothing_before_everything_is_known(plane: Plane) -> None:
    """An empty world would delete everything, in a group as in the whole."""
    code, _ = await refusal(plane.face, id="envoy-1", cluster="edge")

    assert grpc.StatusCode.UNAVAILABLE is code


async def test_what_one_group_rejects_is_served_to_the_others(plane: Plane) -> None:
    """Each proxy is told with its group; an outdated Envoy in one group is no reason to withhold from another."""
    await plane.start(*backend())
    await plane.connect("envoy-1", cluster="edge", rejects="backend/ns/svc/443/system")
    dc = await plane.connect("envoy-2", kind="dc")
    plane.script.say(api("a.io", "edge"), api("b.io", "dc"))
    await dc.until(lambda: "b.io/v1" in dc.held(SCOPED_ROUTE))
    async with within(10):
        await until(lambda: plane.proxies()["envoy-1"].state is ProxyState.REJECTED)
        await until(lambda: plane.proxies()["envoy-2"].state is ProxyState.SYNCED)

    assert {"envoy-1": "edge", "envoy-2": "dc"} == {name: proxy.group for name, proxy in plane.proxies().items()}
    assert (1, 0) == tuple(len(plane.face.service.rejections(group)) for group in ("edge", "dc"))
