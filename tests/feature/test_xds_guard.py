"""The mass-delete guard over real gRPC: a control plane whose source was emptied, and clients that hold everything."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest
from xds_face import Face, Opener, delta_request, resource, sotw_request, until, within

from controlplane.model.proxy import ProxyState
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE, ResourceName
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.report import proxies
from controlplane.xds.status import Withheld

LIMIT = ShrinkLimit(percent=30, at_least=5)
NAMES = [f"c{number}" for number in range(1000)]
TYPES = (CLUSTER, ENDPOINTS, SCOPED_ROUTE)


def full() -> Snapshot:
    """A thousand of each type."""
    return Snapshot().updated([resource(kind, name) for kind in TYPES for name in NAMES])


def emptied(snapshot: Snapshot) -> Snapshot:
    """The next snapshot, with nothing left."""
    return snapshot.updated([], [ResourceName(kind, name) for kind in TYPES for name in NAMES])


def claims(type_url: str) -> DeltaDiscoveryRequest:
    """The first request of a client that comes back with all of a type."""
    versions = {name: held.version for name, held in full().table(type_url).items()}
    return delta_request(type_url, *(NAMES if type_url == ENDPOINTS else ()), initial_resource_versions=versions)


async def come_back(face: Face) -> grpc.aio.StreamStreamCall:
    """Opens a stream of a client that holds everything, as Envoy does: clusters first."""
    call = face.delta()
    for type_url in TYPES:
        await call.write(claims(type_url))
    return call


async def read(
    call: grpc.aio.StreamStreamCall, enough: Callable[[list[DeltaDiscoveryResponse]], bool]
) -> list[DeltaDiscoveryResponse]:
    """Responses, each acknowledged, until there are enough."""
    responses: list[DeltaDiscoveryResponse] = []
    while not enough(responses):
        response = await call.read()
        await call.write(DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))
        responses.append(response)
    return responses


def removals(responses: list[DeltaDiscoveryResponse]) -> int:
    """How many names were removed."""
    return sum(len(response.removed_resources) for response in responses)


async def add(face: Face, call: grpc.aio.StreamStreamCall, name: str) -> int:
    """Adds a cluster, and tells how many names were removed until it arrived."""
    face.cache.publish((face.cache.latest() or Snapshot()).updated([resource(CLUSTER, name)]))
    return removals(await read(call, lambda responses: any(name in names(response) for response in responses)))


def names(response: DeltaDiscoveryResponse) -> list[str]:
    """The names of what was sent."""
    return [entry.name for entry in response.resources]


async def test_reconnect_over_an_emptied_snapshot_keeps_everything(open_face: Opener) -> None:
    """F3: a control plane restarts over a source that lost everything: Envoys lose nothing, and get what is new."""
    face = await open_face(shrink_limit=LIMIT)
    face.cache.publish(Snapshot())
    async with within(10):
        call = await come_back(face)
        await until(lambda: len(face.service.withheld()) == len(TYPES))
        removed = await add(face, call, "new") + await add(face, call, "newer")
        await until(lambda: face.service.withheld()[0].held == 1002)
    withheld = face.service.withheld()
    (proxy,) = proxies(face.service.statuses())

    assert removed == 0
    assert withheld == (
        Withheld("envoy-1", "", CLUSTER, 1000, 1002),
        Withheld("envoy-1", "", ENDPOINTS, 1000, 1000),
        Withheld("envoy-1", "", SCOPED_ROUTE, 1000, 1000),
    )
    assert (proxy.state, [kind.withheld for kind in proxy.types]) == (ProxyState.STALE, [1000, 1000, 1000])
    assert face.count("isthmus_xds_withholding_streams") == 1


async def test_confirmation_lets_go(open_face: Opener) -> None:
    """F3: what was withheld goes at once and in order, everywhere, and for a client that was away as well."""
    face = await open_face(shrink_limit=LIMIT)
    face.cache.publish(Snapshot())
    async with within(10):
        call = await come_back(face)
        await until(lambda: len(face.service.withheld()) == len(TYPES))
        released = face.service.confirm_removals()
        responses = await read(call, lambda responses: removals(responses) == 3000)
        await until(lambda: face.service.withheld() == ())
        late = await read(await come_back(face), lambda responses: removals(responses) == 3000)
    order = [response.type_url for response in responses if response.removed_resources]

    assert released == 1
    assert list(dict.fromkeys(order)) == [SCOPED_ROUTE, CLUSTER, ENDPOINTS]
    assert {response.type_url for response in late} == set(TYPES)
    assert face.count("isthmus_xds_withholding_streams") == 0


async def test_confirmation_is_for_one_snapshot(open_face: Opener) -> None:
    """F3: nothing that is lost afterwards was seen by whoever confirmed."""
    face = await open_face(shrink_limit=LIMIT)
    face.cache.publish(full())
    face.service.confirm_removals()
    async with within(10):
        call = await come_back(face)
        await add(face, call, "new")
        face.cache.publish(emptied(face.cache.latest()))
        await until(lambda: face.service.withheld() != ())
        other_group = face.service.confirm_removals("edge")

    assert (other_group, len(face.service.withheld())) == (0, 3)


async def test_confirmation_is_for_one_group_or_for_all(open_face: Opener) -> None:
    """F3: the removals of a node group are confirmed by its name, or with everybody's."""
    face = await open_face(shrink_limit=LIMIT, group_of=lambda _: "edge")
    face.cache.publish(Snapshot(), group="edge")
    async with within(10):
        await come_back(face)
        await until(lambda: len(face.service.withheld()) == len(TYPES))
    groups = {withheld.group for withheld in face.service.withheld()}
    released = [face.service.confirm_removals(group) for group in ("inner", None)]

    assert (groups, released) == ({"edge"}, [0, 1])


async def test_objects_that_come_back_end_it(open_face: Opener) -> None:
    """F3: a source that is read again mends everything by itself, and nothing need be sent."""
    face = await open_face(shrink_limit=LIMIT)
    face.cache.publish(Snapshot())
    async with within(10):
        call = await come_back(face)
        await until(lambda: face.service.withheld() != ())
        face.cache.publish(full())
        removed = await add(face, call, "new")

    assert (removed, face.service.withheld()) == (0, ())


async def test_state_of_the_world_carries_what_is_withheld(open_face: Opener) -> None:
    """F3: a response for something new is the whole world as it was, until somebody confirms."""
    face = await open_face(shrink_limit=LIMIT)
    snapshot = face.cache.publish(full())
    call = face.sotw()
    await call.write(sotw_request(CLUSTER))
    sizes = []
    async with within(10):
        for step in ("begin", "emptied", "confirmed"):
            if step == "emptied":
                snapshot = face.cache.publish(emptied(snapshot))
                await until(lambda: face.service.withheld() != ())
                face.cache.publish(snapshot.updated([resource(CLUSTER, "new")]))
            elif step == "confirmed":
                face.service.confirm_removals()
            response = await call.read()
            sizes.append(len(response.resources))
            await call.write(
                DiscoveryRequest(type_url=CLUSTER, response_nonce=response.nonce, version_info=response.version_info)
            )

    assert sizes == [1000, 1001, 501]


async def test_withholding_is_told_once(open_face: Opener) -> None:
    """F3: one line when it begins and one when it ends, however much happens meanwhile."""
    face = await open_face(shrink_limit=LIMIT)
    face.cache.publish(Snapshot())
    with structlog.testing.capture_logs() as lines:
        async with within(10):
            call = await come_back(face)
            for name in ("new", "newer"):
                await add(face, call, name)
            face.service.confirm_removals("")
            await read(call, lambda responses: removals(responses) > 0)
    told = [(line["event"], line["node"]) for line in lines if line["event"].startswith("xds removals")]

    assert told == [("xds removals withheld", "envoy-1"), ("xds removals released", "envoy-1")]


@pytest.mark.parametrize("shrink_limit", [None, ShrinkLimit(percent=30, at_least=2000)])
async def test_without_a_limit_everything_goes(open_face: Opener, shrink_limit: ShrinkLimit | None) -> None:
    """An embedder that sets no limit, or loses fewer than it, is served what it publishes."""
    face = await open_face(shrink_limit=shrink_limit)
    face.cache.publish(Snapshot())
    async with within(10):
        call = await come_back(face)
        responses = await read(call, lambda responses: removals(responses) == 3000)

    assert (removals(responses), face.service.withheld()) == (3000, ())
