"""The standard health service of gRPC as a unary method.

In: the name of a service, and a value that is None until it can serve. Out: the method Check of grpc.health.v1. Law:
it says SERVING of the service, and of the whole server (""), only while there is such a value. Watch, which is a
stream, is not implemented, as the specification of the health service allows: clients ask again instead.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from controlplane.aio import Watchable
from controlplane.faces import health
from controlplane.faces.unary.heads import Metadata
from controlplane.faces.unary.protocol import CallError, Methods
from controlplane.faces.unary.status import Status

T = TypeVar("T")


def methods(service: str, ready: Watchable[T | None]) -> Methods:
    """The method by its path."""

    async def check(message: bytes, _: Metadata) -> bytes:
        try:
            asked = HealthCheckRequest.FromString(message).service
        except DecodeError:
            raise CallError(Status.INTERNAL, "the message is no HealthCheckRequest") from None
        if asked not in {"", service}:
            raise CallError(Status.NOT_FOUND, "there is no such service here")
        serving = HealthCheckResponse.NOT_SERVING if ready.value is None else HealthCheckResponse.SERVING
        return HealthCheckResponse(status=serving).SerializeToString()

    return {f"/{health.SERVICE}/Check": check}
