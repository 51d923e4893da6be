"""The gRPC face of configuration: controlplane.api.v1.ConfigService.

In: requests as bytes. Out: responses, or errors with details. Law: whatever a client sends is answered with a status
that says whose fault it is; nothing decides here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from controlplane.api.v1 import config_pb2
from controlplane.configapi.access import Caller
from controlplane.configapi.calls import Calls
from controlplane.configapi.errors import error_of, of_store
from controlplane.configapi.writing import Refusal
from controlplane.resources.status import Status, bad_request, too_large
from controlplane.store.interface import StoreError

SERVICE: Final = "controlplane.api.v1.ConfigService"

# A batch that a store takes, with line ends and blanks.
_LARGEST: Final = 8 * 1024 * 1024

_Context = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request", bound=Message)


def handlers(calls: Calls) -> list[grpc.GenericRpcHandler]:
    """The handlers of the ConfigService, for a grpc.aio server."""
    methods = {
        "Apply": _unary(config_pb2.ApplyRequest, calls.apply),
        "BatchApply": _unary(config_pb2.BatchApplyRequest, calls.batch_apply),
        "Create": _unary(config_pb2.CreateRequest, calls.create),
        "Replace": _unary(config_pb2.ReplaceRequest, calls.replace),
        "Patch": _unary(config_pb2.PatchRequest, calls.patch),
        "Delete": _unary(config_pb2.DeleteRequest, calls.delete),
        "Get": _unary(config_pb2.GetRequest, calls.get),
        "List": _unary(config_pb2.ListRequest, calls.list),
        "Watch": _stream(config_pb2.WatchRequest, calls.watch),
    }
    return [grpc.method_handlers_generic_handler(SERVICE, methods)]


def _unary(
    request: type[_Request], call: Callable[[_Request, Caller], Awaitable[Message | Refusal | Status]]
) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def answer(body: bytes, context: _Context) -> bytes:
        try:
            answered = _too_large(body) or await call(request.FromString(body), _caller(context))
        except DecodeError as error:
            answered = _garbage(error)
        except StoreError as error:
            answered = of_store(error)
        if not isinstance(answered, Message):
            await _refuse(answered, context)
        return answered.SerializeToString()

    # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same function. Messages
    # are parsed here: gRPC would blame the server for garbage.
    behaviour: Any = answer
    return grpc.unary_unary_rpc_method_handler(behaviour)


def _stream(
    request: type[_Request], call: Callable[[_Request, Caller], AsyncGenerator[Message | Status, None]]
) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def answer(body: bytes, context: _Context) -> None:
        refused: Status | None = None
        try:
            async with aclosing(call(request.FromString(body), _caller(context))) as messages:
                async for message in messages:
                    if isinstance(message, Status):
                        refused = message
                        break
                    await context.write(message.SerializeToString())
        except DecodeError as error:
            refused = _garbage(error)
        except StoreError as error:
            refused = of_store(error)
        if refused is not None:
            await _refuse(refused, context)

    behaviour: Any = answer
    return grpc.unary_stream_rpc_method_handler(behaviour)


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
    return bad_request(f"the message cannot be parsed ({error}); is the client built for {SERVICE}?")


async def _refuse(refused: Refusal | Status, context: _Context) -> NoReturn:
    error = error_of(refused.status, refused.index) if isinstance(refused, Refusal) else error_of(refused)
    told = rpc_status.to_status(error)
    await context.abort(told.code, told.details, told.trailing_metadata)
