"""What clients that break the protocol are answered, over real gRPC; and that nobody but they suffer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from xds_face import AGGREGATED, Face, Opener, delta_request, resource, until, within

from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.snapshot.snapshot import Snapshot

MIB = 1024 * 1024
UNKNOWN_TYPE = "type.googleapis.com/example.Nothing"
GARBAGE = b"\xff\xff\xff no message at all"


class Neighbour:
    """A well-behaved client of the same server."""

    def __init__(self, face: Face, call: grpc.aio.StreamStreamCall) -> None:
        self._face = face
        self._call = call
        self._content = 0

    async def follows(self) -> bool:
        """True when a change reaches it and is acknowledged."""
        self._content += 1
        body = str(self._content).encode()
        latest = self._face.cache.latest() or Snapshot()
        self._face.cache.publish(latest.updated([resource(CLUSTER, "neighbour", body)]))
        response = await self._call.read()
        await self._call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=response.nonce))
        return [entry.resource.value for entry in response.resources] == [body]


@asynccontextmanager
async def neighbour(face: Face) -> AsyncIterator[Neighbour]:
    """A neighbour in full step; it has been served, and is checked again at the end."""
    # A stream that begins before there is a configuration is ended.
    if face.cache.latest() is None:
        face.cache.publish(Snapshot())
    call = face.delta()
    await call.write(delta_request(CLUSTER, "neighbour"))
    first = await call.read()
    await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
    good = Neighbour(face, call)
    assert await good.follows()
    yield good
    assert await good.follows()
    call.cancel()


def raw(face: Face) -> grpc.aio.StreamStreamCall:
    """A delta stream on which bytes are written as they are."""
    return face.channel.stream_stream(
        f"/{AGGREGATED}/DeltaAggregatedResources", None, DeltaDiscoveryResponse.FromString
    )()


@pytest.mark.parametrize("after_a_good_one", [False, True])
async def test_garbage_is_an_invalid_argument(open_face: Opener, after_a_good_one: bool) -> None:
    """Bytes that are no request end the stream they came on, first or later, with the code for a client's fault."""
    face = await open_face()
    face.cache.publish(Snapshot())
    async with within(60), neighbour(face):
        call = raw(face)
        if after_a_good_one:
            await call.write(delta_request(CLUSTER).SerializeToString())
            await call.read()
        await call.write(GARBAGE)
        code, details = await call.code(), await call.details()
        await until(lambda: len(face.service.statuses()) == 1)

    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "DeltaDiscoveryRequest" in details


async def test_unknown_type_is_ignored(open_face: Opener) -> None:
    """S2: a type that is not served is not answered, and the stream it was asked for on goes on."""
    face = await open_face()
    face.cache.publish(Snapshot().updated([resource(CLUSTER, "a")]))
    call = face.delta()
    await call.write(delta_request(UNKNOWN_TYPE, "x"))
    await call.write(delta_request(CLUSTER))

    async with within(5):
        first = await call.read()

    assert (CLUSTER, ["a"]) == (first.type_url, [entry.name for entry in first.resources])


async def test_service_for_one_type_ignores_the_others(open_face: Opener) -> None:
    """S2: on a service for a single type, another type is as unknown as any."""
    face = await open_face()
    face.cache.publish(Snapshot().updated([resource(CLUSTER, "a"), resource(ENDPOINTS, "a")]))
    call = face.delta("/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters")
    await call.write(delta_request(ENDPOINTS, "a"))
    await call.write(delta_request(CLUSTER))

    async with within(5):
        first = await call.read()

    assert first.type_url == CLUSTER


async def test_wrong_nonce_acknowledges_nothing(open_face: Opener) -> None:
    """D5: an answer to a response that was never sent leaves the real one unanswered; what it subscribes to counts."""
    face = await open_face()
    snapshot = face.cache.publish(Snapshot().updated([resource(CLUSTER, "a"), resource(CLUSTER, "b")]))
    call = face.delta()
    await call.write(delta_request(CLUSTER, "a"))
    async with within(5):
        first = await call.read()
        await call.write(delta_request(CLUSTER, "b", response_nonce="no-such-nonce"))
        await until(lambda: face.service.statuses()[0].types[0].names == 2)
        unanswered = face.service.statuses()[0]
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
        second = await call.read()

    assert ("", 0) == (unanswered.types[0].acked_nonce, unanswered.acked_generation)
    assert unanswered.offered_generation == snapshot.generation
    assert [entry.name for entry in second.resources] == ["b"]


async def test_request_of_ten_mebibytes_is_answered(open_face: Opener) -> None:
    """A request far over gRPC's default of 4 MiB is served like any other, and its neighbour does not notice."""
    face = await open_face()
    async with within(60), neighbour(face):
        call = face.delta()
        request = delta_request(ENDPOINTS, *(f"{number:06d}" + "x" * 1018 for number in range(10_240)))
        await call.write(request)
        missing = 0
        while missing < 10_240:
            response = await call.read()
            missing += len(response.removed_resources)
            await call.write(DeltaDiscoveryRequest(type_url=ENDPOINTS, response_nonce=response.nonce))
        call.cancel()

    assert request.ByteSize() > 10 * MIB


async def test_request_over_the_limit_is_refused(open_face: Opener) -> None:
    """Past 64 MiB gRPC refuses the request before anything is made of it; only its own stream ends."""
    face = await open_face()
    async with within(60), neighbour(face):
        call = raw(face)
        await call.write(b"x" * (64 * MIB + 1))
        code = await call.code()

    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_flood_is_held_back(open_face: Opener) -> None:
    """A client that writes requests without end is slowed down, and a neighbour's changes arrive in between."""
    face = await open_face()
    async with within(60), neighbour(face) as good:
        # From here on there is a configuration: a stream that waits for one in vain is ended.
        assert await good.follows()
        call = face.delta()
        await call.write(delta_request(CLUSTER))
        written = 0

        async def flood() -> None:
            nonlocal written
            while True:
                await call.write(delta_request(ENDPOINTS, f"endpoint-{written % 100}"))
                written += 1

        flooding = asyncio.create_task(flood())
        await until(lambda: written > 1000)
        followed = [await good.follows() for _ in range(20)]
        before = written
        await until(lambda: written > before)
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        call.cancel()

    assert all(followed)


async def test_client_that_never_reads_harms_nobody(open_face: Opener) -> None:
    """While one client leaves its responses unread, others are served; then it is cut off and what it held is free."""
    face = await open_face(write_limit=0.5)
    body = b"x" * (2 * MIB)
    face.cache.publish(Snapshot().updated([resource(CLUSTER, f"c{number}", body) for number in range(20)]))
    async with within(60), neighbour(face) as good:
        call = face.delta()
        await call.write(delta_request(CLUSTER))
        acked: set[str] = set()
        while face.count("isthmus_xds_write_timeouts_total") == 0:
            for status in face.service.statuses():
                for kind in status.types:
                    if kind.wildcard and kind.sent_nonce not in acked:
                        acked.add(kind.sent_nonce)
                        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=kind.sent_nonce))
            assert await good.follows()
        await until(lambda: len(face.service.statuses()) == 1)
        call.cancel()
