"""The client of the StatusService.

In: an address. Out: the status there. Law: whatever keeps it from being fetched is one sentence.
"""

from __future__ import annotations

from typing import Final, cast

import grpc

from controlplane.admin.service import SERVICE
from controlplane.api.v1 import status_pb2
from controlplane.errors import StartError
from controlplane.settings import Address

_PATIENCE_SECONDS: Final = 10.0
# 10,000 APIServices with some endpoints each come to a few MiB.
_LARGEST_RESPONSE: Final = 64 * 1024 * 1024


def fetch(address: Address) -> status_pb2.GetStatusResponse:
    """The status of the control plane whose admin face is at `address`.

    Raises:
        StartError: when nothing answers there.
    """
    target = f"unix:{address.path}" if address.path else str(address)
    options = [("grpc.max_receive_message_length", _LARGEST_RESPONSE), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(target, options=options) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/GetStatus",
            request_serializer=status_pb2.GetStatusRequest.SerializeToString,
            response_deserializer=status_pb2.GetStatusResponse.FromString,
        )
        try:
            return call(status_pb2.GetStatusRequest(), timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            # What a channel raises is a grpc.Call as well, which the stubs do not know.
            reason = cast("grpc.Call", error).code().name
            raise StartError(
                f"no control plane answers at {address} ({reason}); start it, or give --config its settings file"
            ) from error
