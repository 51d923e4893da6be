"""The gRPC face of status: controlplane.api.v1.StatusService.

In: requests. Out: the status of the moment. Law: read-only; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc

from controlplane.admin import status
from controlplane.aio import Watchable
from controlplane.api.v1 import status_pb2
from controlplane.model.problem import Problem
from controlplane.model.topology import Topology

SERVICE: Final = "controlplane.api.v1.StatusService"


def handlers(topology: Watchable[Topology], problems: Callable[[], Iterable[Problem]]) -> list[grpc.GenericRpcHandler]:
    """The handlers of the StatusService, for a grpc.aio server; `problems` gives those there are now."""

    async def get_status(
        _request: status_pb2.GetStatusRequest,
        _context: grpc.aio.ServicerContext[status_pb2.GetStatusRequest, status_pb2.GetStatusResponse],
    ) -> status_pb2.GetStatusResponse:
        return status.response(topology.value, problems())

    # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same function.
    behaviour: Any = get_status
    method = grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=status_pb2.GetStatusRequest.FromString,
        response_serializer=status_pb2.GetStatusResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(SERVICE, {"GetStatus": method})]
