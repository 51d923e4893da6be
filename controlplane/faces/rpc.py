"""A listening gRPC face.

In: handlers, an address, and what encryption it takes. Out: a server while the context lasts. Law: with encryption, no
handler sees a call whose client is not verified and allowed; without, the address is one that the settings found good.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import grpc
import structlog
from prometheus_client import CollectorRegistry, Counter

from controlplane.errors import StartError
from controlplane.faces.allowed import Presented, is_allowed, refusal
from controlplane.faces.identity import Identity, Report, followed
from controlplane.faces.seldom import Seldom
from controlplane.settings.address import Address
from controlplane.settings.face import Face
from controlplane.xds.admission import Admission

# After a stop, and at the end of a connection's age, calls under way get this long before they are cut. A discovery
# stream never ends by itself, so longer would only be longer on a connection that has had its time.
GRACE_SECONDS: Final = 1.0

# How many calls may have arrived and not yet been taken up. gRPC by itself cancels some beyond 1,000 and all beyond
# 3,000, which is what a fleet is that lost its control plane; how many are served is for `Admission` to say.
_PENDING_CALLS: Final = (
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
)

_log = structlog.stdlib.get_logger(__name__)

# A wrapper of all kinds of calls cannot name their messages: what comes in and goes out is passed on unseen.
_Message = Any
_Context = Any
_Scope = Callable[[_Context], AbstractAsyncContextManager[None]]

Handler: TypeAlias = grpc.GenericRpcHandler
"""What serves the methods of a service."""


@dataclass(frozen=True, slots=True)
class RpcFace:
    """What is served at one address; `section` names it in the settings. Zero `max_age`: connections never age.

    `private`: where it is a Unix socket, nobody but this process's user may open it.
    """

    section: str
    face: Face
    handlers: tuple[grpc.GenericRpcHandler, ...]
    max_age: timedelta = timedelta(0)
    private: bool = False


def joined(faces: Iterable[RpcFace]) -> Iterator[RpcFace]:
    """One face for each address, with the handlers of all that listen there."""
    by_address: dict[Address, RpcFace] = {}
    for face in faces:
        held = by_address.setdefault(face.face.listen, face)
        if held is not face:
            max_age = max(held.max_age, face.max_age)
            by_address[face.face.listen] = replace(
                held, handlers=held.handlers + face.handlers, max_age=max_age, private=held.private or face.private
            )
    yield from by_address.values()


@asynccontextmanager
async def listening(
    served: RpcFace, options: Sequence[tuple[str, int]], reporter: Callable[[str], Report]
) -> AsyncIterator[int]:
    """Serves a face, and gives its TCP port (0 for a Unix socket); `reporter` is that of `followed`.

    Raises:
        StartError: when the address cannot be listened on, or the certificates cannot be used.
    """
    address, tls = served.face.listen, served.face.tls
    options = [*options, *_PENDING_CALLS, *_age(served.max_age)]
    target = f"unix:{address.path}" if address.path else str(address)
    async with AsyncExitStack() as stack:
        if tls is None:
            server = grpc.aio.server(options=options)
        else:
            identity = await stack.enter_async_context(followed(f"{served.section}.tls", tls, reporter))
            guard = _AllowedOnly(served.section, tls.allowed_names)
            server = grpc.aio.server(options=options, interceptors=(guard,))
        server.add_generic_rpc_handlers(served.handlers)
        try:
            if tls is None:
                with _permissions(owner_only=served.private):
                    port = server.add_insecure_port(target)
            else:
                port = server.add_secure_port(target, _credentials(identity))
        except RuntimeError as error:
            raise not_listening(address) from error
        await server.start()
        stack.push_async_callback(server.stop, GRACE_SECONDS)
        yield 0 if address.path else port


@contextmanager
def _permissions(*, owner_only: bool) -> Iterator[None]:
    """Sockets that are made meanwhile are the owner's, from their first moment on."""
    if not owner_only:
        yield
        return
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def not_listening(address: Address) -> StartError:
    """What to say when an address is taken, or not this machine's."""
    return StartError(f"{address} cannot be listened on; end what listens there, or choose another address")


def admitted(
    handlers: Iterable[grpc.GenericRpcHandler],
    admission: Admission,
    registry: CollectorRegistry,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[grpc.GenericRpcHandler, ...]:
    """The same handlers, whose every call is a stream that must be admitted; `clock` is monotonic, in seconds."""
    refused = Counter("isthmus_xds_streams_refused", "xDS streams refused for a limit.", registry=registry)
    seldom = Seldom(clock)

    @asynccontextmanager
    async def scope(context: _Context) -> AsyncIterator[None]:
        wait = admission.enter(clock())
        if isinstance(wait, str):
            refused.inc()
            if seldom.again("refused"):
                _log.warning("xds streams refused", reason=wait, peer=context.peer())
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, wait)
            return
        try:
            if wait:
                await sleep(wait)
            yield
        finally:
            admission.leave()

    return tuple(_Within(handler, scope) for handler in handlers)


class _Within(grpc.GenericRpcHandler):
    """The handlers of another, each call of them within a scope."""

    def __init__(self, inner: grpc.GenericRpcHandler, scope: _Scope) -> None:
        self._inner = inner
        self._scope = scope

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = self._inner.service(handler_call_details)
        return None if handler is None else _within(handler, self._scope)


class _AllowedOnly(grpc.aio.ServerInterceptor):
    """Refuses calls of clients whose certificate, which the handshake has verified, has no name that is allowed."""

    def __init__(self, section: str, allowed: tuple[str, ...]) -> None:
        self._section = section
        self._allowed = allowed
        self._seldom = Seldom(time.monotonic)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        return None if handler is None else _within(handler, self._checked)

    @asynccontextmanager
    async def _checked(self, context: _Context) -> AsyncIterator[None]:
        presented = _presented(context.auth_context())
        if not is_allowed(presented, self._allowed):
            reason = refusal(self._section, presented)
            if self._seldom.again(presented):
                _log.warning("client refused", face=self._section, peer=context.peer(), reason=reason)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, reason)
        yield


def _presented(peer: Mapping[str, Iterable[bytes]]) -> Presented:
    """The names in a client's certificate, from what gRPC says of the client."""
    dns, uris = ([name.decode(errors="replace") for name in peer.get(kind, ())] for kind in ("peer_dns", "peer_uri"))
    return Presented(tuple(dns), tuple(uris))


def _within(handler: grpc.RpcMethodHandler[Any, Any], scope: _Scope) -> grpc.RpcMethodHandler[Any, Any]:
    """The same handler, each call of it within a scope."""
    kind, make = _KINDS[handler.request_streaming, handler.response_streaming]
    behaviour: Any = getattr(handler, kind)
    wrapped: Any
    if inspect.isasyncgenfunction(behaviour):

        async def generated(request: _Message, context: _Context) -> AsyncIterator[_Message]:
            async with scope(context):
                async for response in behaviour(request, context):
                    yield response

        wrapped = generated
    else:

        async def called(request: _Message, context: _Context) -> _Message:
            async with scope(context):
                return await behaviour(request, context)

        wrapped = called
    return make(wrapped, handler.request_deserializer, handler.response_serializer)


_KINDS: Final[dict[tuple[bool, bool], tuple[str, Callable[..., grpc.RpcMethodHandler[Any, Any]]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


def _credentials(identity: Identity) -> grpc.ServerCredentials:
    configured = identity.material

    def certificates() -> grpc.ServerCertificateConfiguration:
        pair = configured.pair
        return grpc.ssl_server_certificate_configuration(
            [(pair.private_key.reveal(), pair.certificate_chain)], root_certificates=configured.client_ca
        )

    def replaced() -> grpc.ServerCertificateConfiguration | None:
        # Asked at every handshake, one at a time; None keeps what is in force.
        nonlocal configured
        if identity.material is configured:
            return None
        configured = identity.material
        return certificates()

    # The stubs do not know that None may be answered.
    fetcher: Any = replaced
    return grpc.dynamic_ssl_server_credentials(certificates(), fetcher, require_client_authentication=True)


def _age(max_age: timedelta) -> Iterator[tuple[str, int]]:
    """Options that end connections of that age; gRPC itself varies it by 10 % either way, so not all end at once."""
    if max_age:
        yield "grpc.max_connection_age_ms", round(max_age.total_seconds() * 1000)
        yield "grpc.max_connection_age_grace_ms", round(GRACE_SECONDS * 1000)
