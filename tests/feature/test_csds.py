"""Client status discovery over real gRPC, for a few resources and for many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from envoy.service.status.v3.csds_pb2 import ERROR, NOT_SENT, SYNCED, ClientStatusRequest, ClientStatusResponse
from google.protobuf import json_format
from xds_face import Face, Opener, delta_request, resource, until, within

from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE, SECRET
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.csds import handlers
from controlplane.xds.report import proxies

CSDS = "/envoy.service.status.v3.ClientStatusDiscoveryService"
KEY = b"-----BEGIN PRIVATE KEY-----"
MANY = 10_000


class Asker:
    """A client of a CSDS server, with the limits that gRPC has by itself."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def fetch(self, *node_matchers: object) -> ClientStatusResponse:
        """Asks once."""
        call = self._channel.unary_unary(
            f"{CSDS}/FetchClientStatus", ClientStatusRequest.SerializeToString, ClientStatusResponse.FromString
        )
        return await call(asked(*node_matchers))

    def stream(self) -> grpc.aio.StreamStreamCall[Any, Any]:
        """Opens a stream."""
        return self._channel.stream_stream(
            f"{CSDS}/StreamClientStatus", ClientStatusRequest.SerializeToString, ClientStatusResponse.FromString
        )()


def asked(*node_matchers: object) -> ClientStatusRequest:
    """A request, from its JSON."""
    return json_format.ParseDict({"node_matchers": node_matchers}, ClientStatusRequest())


@asynccontextmanager
async def asking(face: Face) -> AsyncIterator[Asker]:
    """A CSDS server beside a face, and a client of it."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(handlers(lambda: proxies(face.service.statuses()), lambda: 0.0)))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Asker(channel)
    await server.stop(None)


async def connect(face: Face, node_id: str, *requests: DeltaDiscoveryRequest, reject: str = "") -> None:
    """Opens a stream that answers everything until it is in step, by a NACK for the reason `reject` if there is one."""
    call = face.delta()
    for request in requests:
        request.node.id = node_id
        await call.write(request)
    generation = face.cache.latest().generation
    while not any(
        status.node is not None and status.node.id == node_id and status.acked_generation == generation
        for status in face.service.statuses()
    ):
        response = await call.read()
        answer = DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if reject:
            answer.error_detail.message = reject
        await call.write(answer)
        await digested(face, node_id, response)


async def digested(face: Face, node_id: str, response: DeltaDiscoveryResponse) -> None:
    """Waits until the server has taken note of the answer to a response, and of what follows from it."""

    def done() -> bool:
        for status in face.service.statuses():
            for kind in status.types:
                if status.node is not None and (status.node.id, kind.type_url) == (node_id, response.type_url):
                    in_step = status.acked_generation == status.offered_generation
                    return in_step or kind.sent_nonce != response.nonce or kind.acked_nonce == response.nonce
        return False

    await until(done)


async def two(face: Face) -> None:
    """One proxy that holds a cluster and lacks a load assignment, and one that rejected a secret."""
    face.cache.publish(Snapshot().updated([resource(CLUSTER, "a"), resource(SECRET, "front-proxy", KEY)]))
    async with within(10):
        await connect(face, "envoy-1", delta_request(CLUSTER), delta_request(ENDPOINTS, "nowhere"))
        await connect(face, "envoy-2", delta_request(SECRET, "front-proxy"), reject="not a key")


async def test_every_resource_has_an_entry(open_face: Opener) -> None:
    """What CSDS clients expect: name, version held and status; why and what was rejected; and no content."""
    face = await open_face()
    await two(face)
    async with asking(face) as asker, within(10):
        answer = await asker.fetch()
    snapshot = face.cache.latest()
    version = snapshot.table(CLUSTER)["a"].version

    assert [
        [(entry.type_url, entry.name, entry.version_info, entry.config_status) for entry in config.generic_xds_configs]
        for config in answer.config
    ] == [
        [(CLUSTER, "a", version, SYNCED), (ENDPOINTS, "nowhere", "", NOT_SENT)],
        [(SECRET, "front-proxy", "", ERROR)],
    ]
    failure = answer.config[1].generic_xds_configs[0].error_state
    assert (failure.details, failure.version_info) == ("not a key", snapshot.table(SECRET)["front-proxy"].version)
    assert failure.HasField("last_update_attempt")
    assert KEY not in answer.SerializeToString()


@pytest.mark.parametrize("matchers", [(), ({"node_id": {"exact": "envoy-1"}},)])
async def test_answer_for_many_resources_is_one_that_clients_take(open_face: Opener, matchers: tuple[object]) -> None:
    """Past gRPC's 4 MiB a client learns nothing, so the largest types are summed up and the rest told one by one."""
    face = await open_face()
    names = [f"outbound-cluster-of-a-registered-api-{number:05d}" for number in range(MANY)]
    types = (CLUSTER, ENDPOINTS, SCOPED_ROUTE)
    face.cache.publish(
        Snapshot().updated([resource(SECRET, "s"), *(resource(kind, name) for kind in types for name in names)])
    )
    wanted = [delta_request(CLUSTER), delta_request(ENDPOINTS, *names), delta_request(SCOPED_ROUTE)]
    async with within(60):
        await connect(face, "envoy-1", *wanted, delta_request(SECRET, "s"))
    async with asking(face) as asker, within(30):
        answer = await asker.fetch(*matchers)
    entries = answer.config[0].generic_xds_configs
    told = {kind: [entry for entry in entries if entry.type_url == kind] for kind in (*types, SECRET)}

    assert {entry.config_status for entry in entries} == {SYNCED}
    assert {kind: len(found) for kind, found in told.items()} == {
        CLUSTER: MANY,
        ENDPOINTS: MANY,
        SCOPED_ROUTE: 1,
        SECRET: 1,
    }
    assert (told[SCOPED_ROUTE][0].name, told[SECRET][0].name) == ("", "s")


async def test_stream_answers_every_request(open_face: Opener) -> None:
    """Each with the matchers of that request."""
    face = await open_face()
    await two(face)
    found = []
    async with asking(face) as asker, within(10):
        call = asker.stream()
        for node_id in ("envoy-2", "envoy-1"):
            await call.write(asked({"node_id": {"exact": node_id}}))
            found.append([config.node.id for config in (await call.read()).config])
        await call.done_writing()
        code = await call.code()

    assert (found, code) == ([["envoy-2"], ["envoy-1"]], grpc.StatusCode.OK)


async def test_matchers_that_are_not_served_are_refused(open_face: Opener) -> None:
    """The sentence says what to ask instead."""
    face = await open_face()
    async with asking(face) as asker, within(10):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await asker.fetch({"node_id": {"safe_regex": {"regex": ".*"}}})

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "ask for that" in str(raised.value.details())
