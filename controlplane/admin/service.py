"""The gRPC face of the administration: controlplane.api.v1.StatusService and ExplainService.

In: requests. Out: the status of the moment, and of proxies every later one; what becomes of a request. Law: whoever can
reach the face may ask; nothing is worked out here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from controlplane.admin import explain
from controlplane.admin.explain import Answer
from controlplane.admin.reports import Reports
from controlplane.api.v1 import explain_pb2, status_pb2
from controlplane.model.explanation import Broken, Unanswerable

SERVICE: Final = "controlplane.api.v1.StatusService"
EXPLAIN_SERVICE: Final = "controlplane.api.v1.ExplainService"

_Context = grpc.aio.ServicerContext[Any, Any]


def handlers(reports: Reports) -> list[grpc.GenericRpcHandler]:
    """The handlers of the StatusService, for a grpc.aio server."""

    async def get_status(_request: status_pb2.GetStatusRequest, _context: _Context) -> status_pb2.GetStatusResponse:
        return reports.status()

    async def list_proxies(
        _request: status_pb2.ListProxiesRequest, _context: _Context
    ) -> status_pb2.ListProxiesResponse:
        return reports.proxies()

    async def watch_proxies(
        _request: status_pb2.ListProxiesRequest, _context: _Context
    ) -> AsyncIterator[status_pb2.ListProxiesResponse]:
        async for latest in reports.every_proxies():
            yield latest

    async def confirm_removals(
        request: status_pb2.ConfirmRemovalsRequest, _context: _Context
    ) -> status_pb2.ConfirmRemovalsResponse:
        return reports.confirm_removals(request)

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
        "ConfirmRemovals": unary(
            confirm_removals,
            request_deserializer=status_pb2.ConfirmRemovalsRequest.FromString,
            response_serializer=status_pb2.ConfirmRemovalsResponse.SerializeToString,
        ),
        "WatchProxies": stream(watch_proxies, request_deserializer=request, response_serializer=response),
    }
    return [grpc.method_handlers_generic_handler(SERVICE, methods)]


def explain_handlers(answer: Answer) -> list[grpc.GenericRpcHandler]:
    """The handlers of the ExplainService, for a grpc.aio server; `answer` gives the answer to one question."""

    async def explained(request: explain_pb2.ExplainRequest, context: _Context) -> explain_pb2.ExplainResponse:
        found = await explain.answered(answer, request)
        if isinstance(found, Broken):
            await context.abort(grpc.StatusCode.INTERNAL, found.reason)
        if isinstance(found, Unanswerable):
            code = grpc.StatusCode.FAILED_PRECONDITION if found.now else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, found.reason)
        return found

    # As above.
    unary: Any = grpc.unary_unary_rpc_method_handler
    method = unary(
        explained,
        request_deserializer=explain_pb2.ExplainRequest.FromString,
        response_serializer=explain_pb2.ExplainResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(EXPLAIN_SERVICE, {"Explain": method})]
