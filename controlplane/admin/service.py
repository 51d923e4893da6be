"""The gRPC face of status: controlplane.api.v1.StatusService.

In: requests. Out: the status of the moment, and of proxies every later one. Law: read-only; nothing here changes
anything, and a watch tells at most one state between two pauses, the latest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc

from controlplane.admin import proxies, status
from controlplane.aio import Watchable
from controlplane.api.v1 import status_pb2
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Topology

SERVICE: Final = "controlplane.api.v1.StatusService"

_Context = grpc.aio.ServicerContext[Any, Any]


def handlers(
    topology: Watchable[Topology],
    problems: Callable[[], Iterable[Problem]],
    connected: Callable[[], tuple[Proxy, ...]],
    *,
    epoch: Callable[[], float],
    pause: Callable[[], Awaitable[None]],
) -> list[grpc.GenericRpcHandler]:
    """The handlers of the StatusService, for a grpc.aio server.

    `problems` and `connected` give the problems and proxies there are now, `epoch` what to add to a proxy's times to
    get seconds since 1970. A watch of proxies looks again whenever `pause` has returned.
    """

    async def get_status(_request: status_pb2.GetStatusRequest, _context: _Context) -> status_pb2.GetStatusResponse:
        return status.response(topology.value, problems())

    async def list_proxies(
        _request: status_pb2.ListProxiesRequest, _context: _Context
    ) -> status_pb2.ListProxiesResponse:
        return proxies.response(connected(), epoch())

    async def watch_proxies(
        _request: status_pb2.ListProxiesRequest, _context: _Context
    ) -> AsyncIterator[status_pb2.ListProxiesResponse]:
        told: tuple[Proxy, ...] | None = None
        while True:
            latest = connected()
            if latest != told:
                told = latest
                yield proxies.response(latest, epoch())
            await pause()

    # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same functions.
    unary: Any = grpc.unary_unary_rpc_method_handler
    stream: Any = grpc.unary_stream_rpc_method_handler
    request, response = status_pb2.ListProxiesRequest.FromString, status_pb2.ListProxiesResponse.SerializeToString
    methods = {
        "GetStatus": unary(
            get_status,
            request_deserializer=status_pb2.GetStatusRequest.FromString,
            response_serializer=status_pb2.GetStatusResponse.SerializeToString,
        ),
        "ListProxies": unary(list_proxies, request_deserializer=request, response_serializer=response),
        "WatchProxies": stream(watch_proxies, request_deserializer=request, response_serializer=response),
    }
    return [grpc.method_handlers_generic_handler(SERVICE, methods)]
