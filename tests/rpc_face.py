"""Listening faces with handlers that answer what they are sent, and clients for them.

In: settings of a face. Out: a server, and calls to it. Law: everything goes over real sockets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack

import grpc
import pytest
from mtls import SERVER_NAME, Mtls
from process import free_port

from controlplane.faces import rpc
from controlplane.faces.rpc import RpcFace
from controlplane.settings.face import Face
from controlplane.xds.service import server_options

Pair = tuple[bytes, bytes]


async def _echo(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
    async for request in requests:
        await context.write(request)


async def echo_once(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    """The handler of a unary call."""
    return request


async def _twice(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    yield request
    yield request


def handlers() -> tuple[grpc.GenericRpcHandler, ...]:
    """Handlers of three kinds of calls, each of which answers what it is sent."""
    methods = {
        "Echo": grpc.stream_stream_rpc_method_handler(_echo),
        "Once": grpc.unary_unary_rpc_method_handler(echo_once),
        "Twice": grpc.unary_stream_rpc_method_handler(_twice),
    }
    return (grpc.method_handlers_generic_handler("test", methods),)


def ignored(_problems: object) -> None:
    """Hears of problems that a test does not look at."""


class Client:
    """Connections of its own to a face, each with its own handshake."""

    def __init__(self, stack: AsyncExitStack, port: int, authority: bytes | None, pair: Pair | None) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", SERVER_NAME)]
        target = f"127.0.0.1:{port}"
        self.port = port
        if authority is None:
            self.channel = grpc.aio.insecure_channel(target, options[:1])
        else:
            certificate, key = pair or (None, None)
            credentials = grpc.ssl_channel_credentials(authority, key, certificate)
            self.channel = grpc.aio.secure_channel(target, credentials, options)
        stack.push_async_callback(self.channel.close)

    async def once(self) -> bytes:
        """A unary call."""
        answer: bytes = await self.channel.unary_unary("/test/Once")(b"x", timeout=10)
        return answer

    def echo(self) -> grpc.aio.StreamStreamCall:
        """A stream."""
        return self.channel.stream_stream("/test/Echo")()


async def refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """How a call that must fail fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


def face_of(mtls: Mtls | None = None) -> Face:
    """A face on a free port of the loopback interface."""
    return Face.model_validate({"listen": f"127.0.0.1:{free_port()}", "tls": mtls.tls() if mtls else None})


async def serve(stack: AsyncExitStack, mtls: Mtls) -> int:
    """The port of a face with TLS."""
    served = RpcFace("xds", face_of(mtls), handlers())
    return await stack.enter_async_context(rpc.listening(served, server_options(), lambda _: ignored))


def allowed_pair(mtls: Mtls) -> Pair:
    """A client certificate that is let in."""
    return mtls.clients.issue("envoy", uris=["spiffe://example.org/envoy"], server=False)
