"""The access log face: Envoy tells of every request here.

In: streams of serialised StreamAccessLogsMessages (envoy.service.accesslog.v3). Out: nothing but lines of the audit
log. Law: a message is dealt with in one go and holds about a dozen requests, so that authorization, on the same loop,
waits for no more than that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import grpc

from controlplane.audit.recorder import Recorder

SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"


def handlers(recorder: Recorder) -> list[grpc.GenericRpcHandler]:
    """The handlers of the AccessLogService, for a grpc.aio server."""

    async def stream(messages: AsyncIterator[bytes], _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        async for message in messages:
            recorder.take(message)
        return b""

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(stream)
    return [grpc.method_handlers_generic_handler(SERVICE, {"StreamAccessLogs": method})]
