"""The xDS faces over real gRPC on the loopback interface, as clients see them."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
)
from xds_face import SERVICES, Opener, delta_request, resource, sotw_request, until, within

from controlplane.model.resource import (
    CLUSTER,
    LISTENER,
    ResourceName,
)
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Rejected


async def test_stream_is_refused_before_the_first_snapshot(open_face: Opener) -> None:
    """S6: an empty world would delete everything, so before the first snapshot there is no answer at all."""
    face = await open_face()
    call = face.delta()
    await call.write(delta_request(CLUSTER))

    async with within(5):
        code = await call.code()

    assert code == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("type_url", "node"), [("", "envoy-1"), (CLUSTER, "")])
async def test_broken_first_request_is_an_invalid_argument(open_face: Opener, type_url: str, node: str) -> None:
    """S2, S3: without a type or a node id an aggregated stream ends with the code that says whose fault it is."""
    face = await open_face()
    face.cache.publish(Snapshot())
    call = face.delta()
    request = DeltaDiscoveryRequest(type_url=type_url)
    request.node.id = node
    await call.write(request)

    async with within(5):
        code = await call.code()

    assert code == grpc.StatusCode.INVALID_ARGUMENT


async def test_aggregated_delta_stream_serves_and_follows(open_face: Opener) -> None:
    """A snapshot is served whole, then every change of it by itself, until the client closes."""
    face = await open_face()
    snapshot = face.cache.publish(Snapshot().updated([resource(CLUSTER, "a"), resource(CLUSTER, "b")]))
    call = face.delta()
    await call.write(delta_request(CLUSTER))
    async with within(5):
        first = await call.read()
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
        face.cache.publish(snapshot.updated([resource(CLUSTER, "b", b"2")], [ResourceName(CLUSTER, "a")]))
        second = await call.read()
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=second.nonce))
        third = await call.read()
        await call.done_writing()
        code = await call.code()

    assert [entry.name for entry in first.resources] == ["a", "b"]
    assert [(entry.name, entry.resource.value) for entry in second.resources] == [("b", b"2")]
    assert list(third.removed_resources) == ["a"]
    assert code == grpc.StatusCode.OK
    assert first.control_plane.identifier == "isthmus"


async def test_aggregated_sotw_stream_serves_and_follows(open_face: Opener) -> None:
    """The other variant: every response of a whole-world type is the whole world."""
    face = await open_face()
    snapshot = face.cache.publish(Snapshot().updated([resource(CLUSTER, "a", b"a1"), resource(CLUSTER, "b", b"b1")]))
    call = face.sotw()
    await call.write(sotw_request(CLUSTER))
    async with within(5):
        first = await call.read()
        await call.write(sotw_request(CLUSTER, response_nonce=first.nonce, version_info=first.version_info))
        face.cache.publish(snapshot.updated([resource(CLUSTER, "b", b"b2")]))
        second = await call.read()

    assert [entry.value for entry in first.resources] == [b"a1", b"b1"]
    assert [entry.value for entry in second.resources] == [b"a1", b"b2"]
    assert first.version_info != second.version_info


@pytest.mark.parametrize(("service", "resources", "type_url"), SERVICES)
async def test_services_for_one_type_serve_it(open_face: Opener, service: str, resources: str, type_url: str) -> None:
    """S1: every type has a service of its own in both variants, where the type need not be named."""
    face = await open_face()
    face.cache.publish(Snapshot().updated([resource(type_url, "x"), resource(type_url, "y")]))
    delta, sotw = face.delta(f"/{service}/Delta{resources}"), face.sotw(f"/{service}/Stream{resources}")
    await delta.write(delta_request("", "x"))
    await sotw.write(sotw_request("", "x"))

    async with within(5):
        by_delta, by_sotw = await delta.read(), await sotw.read()

    assert (type_url, ["x"]) == (by_delta.type_url, [entry.name for entry in by_delta.resources])
    assert (type_url, [type_url]) == (by_sotw.type_url, [entry.type_url for entry in by_sotw.resources])


async def test_rejection_is_reported(open_face: Opener) -> None:
    """A NACK names the resource, its version, the reason and the node, and is counted."""
    heard: list[Rejected] = []
    face = await open_face(on_rejected=heard.append)
    snapshot = face.cache.publish(Snapshot().updated([resource(CLUSTER, "a")]))
    call = face.delta()
    await call.write(delta_request(CLUSTER))
    async with within(5):
        first = await call.read()
        nack = DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce)
        nack.error_detail.message = "no such filter"
        await call.write(nack)
        face.cache.publish(snapshot.updated([resource(CLUSTER, "b")]))
        second = await call.read()

    version = snapshot.table(CLUSTER)["a"].version

    assert [Rejected(ResourceName(CLUSTER, "a"), version, "no such filter", "envoy-1")] == heard
    assert [entry.name for entry in second.resources] == ["b"]
    assert (
        face.count("isthmus_xds_nacks_total", type="Cluster"),
        face.count("isthmus_xds_rejections_total", type="Cluster"),
    ) == (1.0, 1.0)


async def test_closed_streams_leave_nothing_behind(open_face: Opener) -> None:
    """S10: half-closed or cancelled, a stream's state and tasks are gone."""
    face = await open_face()
    face.cache.publish(Snapshot())
    tasks = len(asyncio.all_tasks())
    half_closed, cancelled = face.delta(), face.sotw()
    await half_closed.write(delta_request(CLUSTER))
    await cancelled.write(sotw_request(CLUSTER))
    async with within(5):
        await half_closed.read()
        await cancelled.read()
        open_streams = len(face.service.statuses())
        await half_closed.done_writing()
        await half_closed.code()
        cancelled.cancel()
        await until(lambda: not face.service.statuses() and len(asyncio.all_tasks()) <= tasks)

    assert open_streams == 2
    assert face.count("isthmus_xds_streams", protocol="delta") == 0.0
    assert face.count("isthmus_xds_streams", protocol="state-of-the-world") == 0.0


async def test_status_tells_how_far_a_proxy_is(open_face: Opener) -> None:
    """Every open stream has a status: who, which generation, what was sent and acknowledged."""
    face = await open_face()
    snapshot = face.cache.publish(Snapshot().updated([resource(CLUSTER, "a")]))
    call = face.delta()
    await call.write(delta_request(CLUSTER))
    async with within(5):
        first = await call.read()
        before = face.service.statuses()[0]
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
        await until(lambda: face.service.statuses()[0].acked_generation > 0)

    after = face.service.statuses()[0]

    assert ("envoy-1", snapshot.generation, 0) == (before.node.id, before.offered_generation, before.acked_generation)
    assert (snapshot.generation, first.nonce) == (after.acked_generation, after.types[0].acked_nonce)


async def test_node_group_chooses_the_snapshot(open_face: Opener) -> None:
    """A node gets the snapshot of its group, and follows that group alone."""
    face = await open_face(group_of=lambda node: node.cluster)
    face.cache.publish(Snapshot().updated([resource(CLUSTER, "default")]))
    face.cache.publish(Snapshot().updated([resource(CLUSTER, "edge")]), group="edge")
    call = face.delta()
    request = delta_request(CLUSTER)
    request.node.cluster = "edge"
    await call.write(request)

    async with within(5):
        first = await call.read()

    assert [entry.name for entry in first.resources] == ["edge"]


async def test_client_that_does_not_read_is_cut_off(open_face: Opener) -> None:
    """T4: a write that does not come to an end ends the stream, and is counted."""
    face = await open_face(write_limit=0.2)
    body = b"x" * 2_000_000
    face.cache.publish(Snapshot().updated([resource(CLUSTER, f"c{number}", body) for number in range(20)]))
    call = face.delta()
    await call.write(delta_request(CLUSTER))
    acked = ""
    async with within(20):
        while face.count("isthmus_xds_write_timeouts_total") == 0:
            for sent in [kind.sent_nonce for status in face.service.statuses() for kind in status.types]:
                if sent != acked:
                    acked = sent
                    await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=sent))
            await asyncio.sleep(0)
        await until(lambda: not face.service.statuses())

    assert face.count("isthmus_xds_streams", protocol="delta") == 0.0


async def test_request_of_many_names_is_received(open_face: Opener) -> None:
    """D15: 70,000 known versions in one request are more than gRPC's 4 MiB and arrive all the same."""
    face = await open_face()
    face.cache.publish(Snapshot())
    call = face.delta()
    versions = {f"outbound-cluster-of-a-registered-api-{number:06d}": "0" * 32 for number in range(70_000)}
    request = delta_request(LISTENER, initial_resource_versions=versions)
    await call.write(request)

    async with within(20):
        first = await call.read()

    assert request.ByteSize() > 4 * 1024 * 1024
    assert len(first.removed_resources) == 70_000
