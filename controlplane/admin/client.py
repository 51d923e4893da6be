"""The client of the StatusService.

In: an address. Out: the status there. Law: whatever keeps it from being fetched is one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import grpc

from controlplane.admin.service import SERVICE
from controlplane.api.v1 import status_pb2
from controlplane.errors import StartError
from controlplane.settings.address import Address

_PATIENCE_SECONDS: Final = 10.0
# 10,000 APIServices with some endpoints each come to a few MiB.
_LARGEST_RESPONSE: Final = 64 * 1024 * 1024


def fetch(address: Address) -> status_pb2.GetStatusResponse:
    """The status of the control plane whose admin face is at `address`.

    Raises:
        StartError: when nothing answers there.
    """
    with _connected(address) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/GetStatus",
            request_serializer=status_pb2.GetStatusRequest.SerializeToString,
            response_deserializer=status_pb2.GetStatusResponse.FromString,
        )
        return call(status_pb2.GetStatusRequest(), timeout=_PATIENCE_SECONDS)


def proxies(address: Address) -> status_pb2.ListProxiesResponse:
    """How far the proxies are that are connected to the control plane whose admin face is at `address`.

    Raises:
        StartError: when nothing answers there.
    """
    with _connected(address) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ListProxies",
            request_serializer=status_pb2.ListProxiesRequest.SerializeToString,
            response_deserializer=status_pb2.ListProxiesResponse.FromString,
        )
        return call(status_pb2.ListProxiesRequest(), timeout=_PATIENCE_SECONDS)


def watch_proxies(address: Address) -> Iterator[status_pb2.ListProxiesResponse]:
    """The same, at once and after every change, without an end.

    Raises:
        StartError: when nothing answers there, or not any more.
    """
    with _connected(address) as channel:
        call = channel.unary_stream(
            f"/{SERVICE}/WatchProxies",
            request_serializer=status_pb2.ListProxiesRequest.SerializeToString,
            response_deserializer=status_pb2.ListProxiesResponse.FromString,
        )
        yield from call(status_pb2.ListProxiesRequest())


@contextmanager
def _connected(address: Address) -> Iterator[grpc.Channel]:
    target = f"unix:{address.path}" if address.path else str(address)
    options = [("grpc.max_receive_message_length", _LARGEST_RESPONSE), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(target, options=options) as channel:
        try:
            yield channel
        except grpc.RpcError as error:
            # What a channel raises is a grpc.Call as well, which the stubs do not know.
            reason = cast("grpc.Call", error).code().name
            raise StartError(
                f"no control plane answers at {address} ({reason}); start it, or give --config its settings file"
            ) from error
