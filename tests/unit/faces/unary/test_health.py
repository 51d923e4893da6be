"""The health service as a unary method."""

from __future__ import annotations

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from controlplane.aio import Watchable
from controlplane.faces.unary import health
from controlplane.faces.unary.protocol import CallError
from controlplane.faces.unary.status import Status


async def test_it_serves_while_there_is_something_to_serve_with() -> None:
    """Of the service and of the whole server alike."""
    ready = Watchable[object | None](None)
    check = health.methods("some", ready)["/grpc.health.v1.Health/Check"]

    async def told() -> list[int]:
        asked = [HealthCheckRequest(service=name).SerializeToString() for name in ("some", "")]
        return [HealthCheckResponse.FromString(await check(each, ())).status for each in asked]

    assert [HealthCheckResponse.NOT_SERVING] * 2 == await told()
    ready.publish(object())
    assert [HealthCheckResponse.SERVING] * 2 == await told()


@pytest.mark.parametrize(
    ("message", "status"),
    [(HealthCheckRequest(service="other").SerializeToString(), Status.NOT_FOUND), (b"\xff", Status.INTERNAL)],
)
async def test_what_is_no_question_about_it_fails(message: bytes, status: Status) -> None:
    """Another service is not found, and garbage is no question."""
    check = health.methods("some", Watchable[object | None](None))["/grpc.health.v1.Health/Check"]

    with pytest.raises(CallError) as caught:
        await check(message, ())

    assert status is caught.value.status
