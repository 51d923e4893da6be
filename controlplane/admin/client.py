"""The client of the StatusService and of the ExplainService.

In: the settings of an admin face. Out: the status there, or what becomes of a request. Law: whatever keeps it from
being fetched is one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import grpc

from controlplane.admin.service import EXPLAIN_SERVICE, SERVICE
from controlplane.api.v1 import explain_pb2, status_pb2
from controlplane.errors import SettingsError, StartError
from controlplane.settings.face import AdminFace

_PATIENCE_SECONDS: Final = 10.0
# 10,000 APIServices with some endpoints each come to a few MiB.
_LARGEST_RESPONSE: Final = 64 * 1024 * 1024
# Webhooks may be asked on the way, and each may take half a minute.
_PATIENCE_FOR_DECIDING_SECONDS: Final = 65.0
# These come with a sentence of the control plane's own.
_TOLD: Final = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INTERNAL)


def fetch(face: AdminFace) -> status_pb2.GetStatusResponse:
    """The status of the control plane whose admin face it is.

    Raises:
        SettingsError: when the face wants a certificate, and none can be read.
        StartError: when nothing answers there.
    """
    with _connected(face) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/GetStatus",
            request_serializer=status_pb2.GetStatusRequest.SerializeToString,
            response_deserializer=status_pb2.GetStatusResponse.FromString,
        )
        return call(status_pb2.GetStatusRequest(), timeout=_PATIENCE_SECONDS)


def proxies(face: AdminFace) -> status_pb2.ListProxiesResponse:
    """How far the proxies are that are connected to the control plane whose admin face it is.

    Raises:
        SettingsError: when the face wants a certificate, and none can be read.
        StartError: when nothing answers there.
    """
    with _connected(face) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ListProxies",
            request_serializer=status_pb2.ListProxiesRequest.SerializeToString,
            response_deserializer=status_pb2.ListProxiesResponse.FromString,
        )
        return call(status_pb2.ListProxiesRequest(), timeout=_PATIENCE_SECONDS)


def watch_proxies(face: AdminFace) -> Iterator[status_pb2.ListProxiesResponse]:
    """The same, at once and after every change, without an end.

    Raises:
        SettingsError: when the face wants a certificate, and none can be read.
        StartError: when nothing answers there, or not any more.
    """
    with _connected(face) as channel:
        call = channel.unary_stream(
            f"/{SERVICE}/WatchProxies",
            request_serializer=status_pb2.ListProxiesRequest.SerializeToString,
            response_deserializer=status_pb2.ListProxiesResponse.FromString,
        )
        yield from call(status_pb2.ListProxiesRequest())


def confirm_removals(face: AdminFace, group: str | None) -> status_pb2.ConfirmRemovalsResponse:
    """Confirms the withheld removals of a node group, or of every group, and says what they were.

    Raises:
        SettingsError: when the face wants a certificate, and none can be read.
        StartError: when nothing answers there.
    """
    with _connected(face) as channel:
        call = channel.unary_unary(
            f"/{SERVICE}/ConfirmRemovals",
            request_serializer=status_pb2.ConfirmRemovalsRequest.SerializeToString,
            response_deserializer=status_pb2.ConfirmRemovalsResponse.FromString,
        )
        return call(status_pb2.ConfirmRemovalsRequest(group=group), timeout=_PATIENCE_SECONDS)


def explain(face: AdminFace, request: explain_pb2.ExplainRequest) -> explain_pb2.ExplainResponse:
    """What becomes of a request at the control plane whose admin face it is.

    Raises:
        SettingsError: when the face wants a certificate, and none can be read.
        StartError: when nothing answers there, or it cannot answer this.
    """
    with _connected(face) as channel:
        call = channel.unary_unary(
            f"/{EXPLAIN_SERVICE}/Explain",
            request_serializer=explain_pb2.ExplainRequest.SerializeToString,
            response_deserializer=explain_pb2.ExplainResponse.FromString,
        )
        return call(request, timeout=_PATIENCE_FOR_DECIDING_SECONDS)


@contextmanager
def _connected(face: AdminFace) -> Iterator[grpc.Channel]:
    with _channel(face) as channel:
        try:
            yield channel
        except grpc.RpcError as error:
            # What a channel raises is a grpc.Call as well, which the stubs do not know.
            call = cast("grpc.Call", error)
            if call.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise StartError(
                    f"{face.reached_at} refuses this client ({call.details()}); allow one of its names there"
                ) from error
            if call.code() in _TOLD:
                raise StartError(f"{call.details()}") from error
            if call.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise StartError(f"the control plane at {face.reached_at} is an older one; upgrade it") from error
            raise StartError(
                f"no control plane answers at {face.reached_at} ({call.code().name}); start it, or give --config its "
                "settings file"
            ) from error


def _channel(face: AdminFace) -> grpc.Channel:
    address = face.reached_at
    target = f"unix:{address.path}" if address.path else str(address)
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", _LARGEST_RESPONSE),
        ("grpc.enable_http_proxy", 0),
    ]
    if face.tls is None:
        return grpc.insecure_channel(target, options=options)
    if face.client is None:
        raise SettingsError(
            "admin.tls is set, and admin.client is not; set admin.client.certificateFile, admin.client.privateKeyFile "
            "and admin.client.caFile"
        )
    credentials = grpc.ssl_channel_credentials(
        _read("caFile", face.client.ca_file),
        _read("privateKeyFile", face.client.private_key_file),
        _read("certificateFile", face.client.certificate_file),
    )
    return grpc.secure_channel(target, credentials, [*options, ("grpc.ssl_target_name_override", face.server_name)])


def _read(setting: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"admin.client.{setting}: {file} cannot be read ({error.strerror}); mend the file or the setting"
        ) from error
