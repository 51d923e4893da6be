"""The health service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2

from controlplane.aio import Watchable
from controlplane.faces import health

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def told() -> AsyncIterator[tuple[Watchable[object | None], grpc.aio.Channel]]:
    """A server with the health of the service `some`, and what makes it serve."""
    ready = Watchable[object | None](None)
    server = grpc.aio.server()
    async with health.told("some", ready) as handlers:
        server.add_generic_rpc_handlers(handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield ready, channel
        await server.stop(None)


async def status(channel: grpc.aio.Channel, service: str) -> int:
    """What Check says."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return int((await check(health_pb2.HealthCheckRequest(service=service), timeout=10)).status)


async def test_it_serves_once_it_is_ready(told: tuple[Watchable[object | None], grpc.aio.Channel]) -> None:
    """NOT_SERVING until there is a value, SERVING from then on, for the service and the server; a watch hears of it."""
    ready, channel = told
    assert [await status(channel, service) for service in ("some", "")] == [NOT_SERVING, NOT_SERVING]
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )(health_pb2.HealthCheckRequest(service="some"))
    assert (await watch.read()).status == NOT_SERVING

    ready.publish(object())

    assert (await asyncio.wait_for(watch.read(), 10)).status == SERVING
    assert [await status(channel, service) for service in ("some", "")] == [SERVING, SERVING]
    watch.cancel()


async def test_another_service_is_not_found(told: tuple[Watchable[object | None], grpc.aio.Channel]) -> None:
    """As the specification of the health service wants it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await status(told[1], "another")

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
