"""The gRPC face of configuration: ConfigService, StatusService and ExplainService of controlplane.api.v1.

In: requests as bytes. Out: responses, or errors with details. Law: whatever a client sends is answered with a status
that says whose fault it is, and is observed; nothing decides here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from controlplane.api.v1 import config_pb2, explain_pb2, status_pb2
from controlplane.configapi.access import Access, Caller, Session
from controlplane.configapi.calls import Calls
from controlplane.configapi.errors import error_of, of_store
from controlplane.configapi.inspecting import Inspecting
from controlplane.configapi.observing import Answer, Observed, Observing
from controlplane.configapi.writing import Refusal
from controlplane.resources.status import Status, bad_request, too_large
from controlplane.store.interface import StoreError

SERVICE: Final = "controlplane.api.v1.ConfigService"
STATUS_SERVICE: Final = "controlplane.api.v1.StatusService"
EXPLAIN_SERVICE: Final = "controlplane.api.v1.ExplainService"
SERVICES: Final = (SERVICE, STATUS_SERVICE, EXPLAIN_SERVICE)

# A batch that a store takes, with line ends and blanks.
_LARGEST: Final = 8 * 1024 * 1024

_Context = grpc.aio.ServicerContext[Any, Any]

_Request = TypeVar("_Request", bound=Message)


def handlers(
    calls: Calls, inspecting: Inspecting, access: Access, observing: Observing
) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers of the three services, for a grpc.aio server."""
    serve = _Serving(access, observing)
    methods = {
        SERVICE: {
            "Apply": serve.unary(config_pb2.ApplyRequest, calls.apply),
            "BatchApply": serve.unary(config_pb2.BatchApplyRequest, calls.batch_apply),
            "Create": serve.unary(config_pb2.CreateRequest, calls.create),
            "Replace": serve.unary(config_pb2.ReplaceRequest, calls.replace),
            "Patch": serve.unary(config_pb2.PatchRequest, calls.patch),
            "Delete": serve.unary(config_pb2.DeleteRequest, calls.delete),
            "Get": serve.unary(config_pb2.GetRequest, calls.get),
            "List": serve.unary(config_pb2.ListRequest, calls.list),
            "Watch": serve.stream(config_pb2.WatchRequest, calls.watch),
        },
        STATUS_SERVICE: {
            "GetStatus": serve.unary(status_pb2.GetStatusRequest, inspecting.get_status),
            "ListProxies": serve.unary(status_pb2.ListProxiesRequest, inspecting.list_proxies),
            "WatchProxies": serve.stream(status_pb2.ListProxiesRequest, inspecting.watch_proxies),
            "ConfirmRemovals": serve.unary(status_pb2.ConfirmRemovalsRequest, inspecting.confirm_removals),
        },
        EXPLAIN_SERVICE: {"Explain": serve.unary(explain_pb2.ExplainRequest, inspecting.explain)},
    }
    return tuple(
        grpc.method_handlers_generic_handler(service, {name: make(f"{service}/{name}") for name, make in named.items()})
        for service, named in methods.items()
    )


class _Serving:
    """Makes methods of calls."""

    def __init__(self, access: Access, observing: Observing) -> None:
        self._access = access
        self._observing = observing

    def unary(
        self, request: type[_Request], call: Callable[[_Request, Session], Awaitable[Answer]]
    ) -> Callable[[str], grpc.RpcMethodHandler[bytes, bytes]]:
        """What makes a method with one answer, given its name."""

        async def answered(body: bytes, seen: Observed) -> Answer:
            try:
                if refused := _too_large(body):
                    return refused
                seen.request = parsed = request.FromString(body)
                return await call(parsed, seen.session)
            except DecodeError as error:
                return _garbage(error)
            except StoreError as error:
                return of_store(error)

        def made(method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
            async def answer(body: bytes, context: _Context) -> bytes:
                caller = _caller(context)
                with self._observing.call(method, caller, self._access(caller)) as seen:
                    seen.answer = found = await answered(body, seen)
                if not isinstance(found, Message):
                    await _refuse(found, context)
                return found.SerializeToString()

            # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same function.
            # Messages are parsed here: gRPC would blame the server for garbage.
            behaviour: Any = answer
            return grpc.unary_unary_rpc_method_handler(behaviour)

        return made

    def stream(
        self, request: type[_Request], call: Callable[[_Request, Session], AsyncGenerator[Message | Status, None]]
    ) -> Callable[[str], grpc.RpcMethodHandler[bytes, bytes]]:
        """What makes a method whose answers go on, given its name."""

        async def refusal(body: bytes, seen: Observed, context: _Context) -> Status | None:
            try:
                seen.request = parsed = request.FromString(body)
                async with aclosing(call(parsed, seen.session)) as messages:
                    async for message in messages:
                        if isinstance(message, Status):
                            return message
                        self._observing.answering(seen)
                        await context.write(message.SerializeToString())
            except DecodeError as error:
                return _garbage(error)
            except StoreError as error:
                return of_store(error)
            return None

        def made(method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
            async def answer(body: bytes, context: _Context) -> None:
                caller = _caller(context)
                with self._observing.stream(method, caller, self._access(caller)) as seen:
                    seen.answer = refused = await refusal(body, seen, context)
                if refused is not None:
                    await _refuse(refused, context)

            behaviour: Any = answer
            return grpc.unary_stream_rpc_method_handler(behaviour)

        return made


def _caller(context: _Context) -> Caller:
    peer = context.auth_context()
    certificate, chain = (
        next(iter(peer.get(name, ())), b"").decode(errors="replace")
        for name in ("x509_pem_cert", "x509_pem_cert_chain")
    )
    metadata = tuple((key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str))
    return Caller(context.peer(), certificate, chain, metadata)


def _too_large(body: bytes) -> Status | None:
    return too_large(f"limit is {_LARGEST}") if len(body) > _LARGEST else None


def _garbage(error: DecodeError) -> Status:
    return bad_request(f"the message cannot be parsed ({error}); is the client built for this service?")


async def _refuse(refused: Refusal | Status, context: _Context) -> NoReturn:
    error = error_of(refused.status, refused.index) if isinstance(refused, Refusal) else error_of(refused)
    told = rpc_status.to_status(error)
    await context.abort(told.code, told.details, told.trailing_metadata)
