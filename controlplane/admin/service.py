"""The gRPC face of the administration: controlplane.api.v1.StatusService and ExplainService.

In: requests. Out: the status of the moment, and of proxies every later one; what becomes of a request. Law: only
ConfirmRemovals changes anything, and that is to let go what was wanted already; a watch tells at most one state between
two pauses, the latest; no error tells what a credential is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc

from controlplane.admin import explain, proxies, removals, status
from controlplane.aio import Watchable
from controlplane.api.v1 import explain_pb2, status_pb2
from controlplane.model.explanation import Explanation, Question, Unanswerable
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Topology

SERVICE: Final = "controlplane.api.v1.StatusService"
EXPLAIN_SERVICE: Final = "controlplane.api.v1.ExplainService"

_Context = grpc.aio.ServicerContext[Any, Any]


def handlers(
    topology: Watchable[Topology],
    problems: Callable[[], Iterable[Problem]],
    connected: Callable[[], tuple[Proxy, ...]],
    *,
    withheld: Callable[[], Iterable[removals.Withheld]] = tuple,
    confirm: Callable[[str | None], int] = lambda _: 0,
    epoch: Callable[[], float],
    pause: Callable[[], Awaitable[None]],
) -> list[grpc.GenericRpcHandler]:
    """The handlers of the StatusService, for a grpc.aio server.

    `problems` and `connected` give the problems and proxies there are now, `epoch` what to add to a proxy's times to
    get seconds since 1970. A watch of proxies looks again whenever `pause` has returned. `withheld` gives the removals
    that wait for `confirm`, which confirms those of a node group, or of every group, and says how many streams that
    released; without the two nothing is ever withheld.
    """

    async def get_status(_request: status_pb2.GetStatusRequest, _context: _Context) -> status_pb2.GetStatusResponse:
        return status.response(topology.value, problems(), connected(), withheld())

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

    async def confirm_removals(
        request: status_pb2.ConfirmRemovalsRequest, _context: _Context
    ) -> status_pb2.ConfirmRemovalsResponse:
        group = request.group if request.HasField("group") else None
        waiting = [one for one in withheld() if group is None or one.group == group]
        streams = confirm(group)
        return removals.released(waiting if streams else (), streams)

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


def explain_handlers(
    answer: Callable[[Question], Awaitable[Explanation | Unanswerable]],
) -> list[grpc.GenericRpcHandler]:
    """The handlers of the ExplainService, for a grpc.aio server; `answer` gives the answer to one question."""

    async def explained(request: explain_pb2.ExplainRequest, context: _Context) -> explain_pb2.ExplainResponse:
        try:
            found = await answer(explain.question(request))
        except Exception as error:  # noqa: BLE001 - its text may hold a token, and gRPC would log it
            failed = f"deciding failed ({type(error).__qualname__}); the request itself would be answered with 500"
            await context.abort(grpc.StatusCode.INTERNAL, failed)
        if isinstance(found, Unanswerable):
            code = grpc.StatusCode.FAILED_PRECONDITION if found.now else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, found.reason)
        return explain.response(found)

    # As above.
    unary: Any = grpc.unary_unary_rpc_method_handler
    method = unary(
        explained,
        request_deserializer=explain_pb2.ExplainRequest.FromString,
        response_serializer=explain_pb2.ExplainResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(EXPLAIN_SERVICE, {"Explain": method})]
