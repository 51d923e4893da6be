"""The standard health service of gRPC, beside another service.

In: the name of the service, and a value that is None until it can serve. Out: the handlers of grpc.health.v1. Law: it
says SERVING of the service, and of the whole server (""), only once there is such a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from controlplane.aio import Watchable

SERVICE: Final = "grpc.health.v1.Health"

T = TypeVar("T")


@asynccontextmanager
async def told(service: str, ready: Watchable[T | None]) -> AsyncIterator[tuple[grpc.GenericRpcHandler, ...]]:
    """The handlers of Check and Watch, while the context lasts."""
    # The library has no types.
    servicer: Any = aio.HealthServicer()

    async def say(status: int) -> None:
        await servicer.set("", status)
        await servicer.set(service, status)

    async def serving() -> None:
        await ready.changed(None)
        await say(health_pb2.HealthCheckResponse.SERVING)

    await say(health_pb2.HealthCheckResponse.NOT_SERVING)
    waiting = asyncio.create_task(serving(), name=f"health of {service}")
    kinds = {"Check": (grpc.unary_unary_rpc_method_handler, servicer.Check)}
    kinds["Watch"] = (grpc.unary_stream_rpc_method_handler, servicer.Watch)
    request, response = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    handlers = {
        name: make(answer, request.FromString, response.SerializeToString) for name, (make, answer) in kinds.items()
    }
    try:
        yield (grpc.method_handlers_generic_handler(SERVICE, handlers),)
    finally:
        waiting.cancel()
        await servicer.enter_graceful_shutdown()
