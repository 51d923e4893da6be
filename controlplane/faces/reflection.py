"""Server reflection of gRPC, beside other services.

In: the names of services. Out: the handlers of grpc.reflection.v1alpha, by which a client finds out how to call them.
Law: it lists those services, and no other that is linked in by chance.
"""

from __future__ import annotations

from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2


def handlers(*services: str) -> tuple[grpc.GenericRpcHandler, ...]:
    """The handlers for a grpc.aio server."""
    servicer: Any = reflection.aio.ReflectionServicer((*services, reflection.SERVICE_NAME))
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return (grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {"ServerReflectionInfo": method}),)
