"""The client of the ConfigService, for programs that do one thing after another.

In: where a server is and as whom it is called; requests. Out: its answers. Law: whatever keeps an answer away is one
`ApiError`, whose text a person can act on and holds no secret.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from controlplane.api.v1 import config_pb2
from controlplane.errors import AskError
from controlplane.model.credentials import Secret
from controlplane.resources.values import visible

SERVICE: Final[str] = config_pb2.DESCRIPTOR.services_by_name["ConfigService"].full_name
"""The name of the service."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    # A watch must notice that the other machine is gone, and be back soon after it is.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
# A server that stops in good order ends its watches with the latter.
_CUT: Final = frozenset({grpc.StatusCode.UNAVAILABLE.name, grpc.StatusCode.CANCELLED.name})
# What gRPC says before the one thing that a person wants to know.
_LAST_ERROR: Final = "last error: "
_INVALID: Final = "Invalid"

_Response = TypeVar("_Response", bound=Message)


class ApiError(AskError):
    """A call that has no answer: the server refuses it, or it cannot be reached.

    `code` is gRPC's ("NOT_FOUND"); `reason` that of the Kubernetes API ("NotFound"), "" when it is not the
    ConfigService that speaks. `violations` are fields and what is wrong with each, or who holds it; `metadata` is what
    helps to go on. About an object of a batch, message and fields are as if it were alone, and `metadata["index"]` says
    which.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        violations: tuple[tuple[str, str], ...] = (),
        metadata: Mapping[str, str] = MappingProxyType({}),
        subject: tuple[str, str] = ("", ""),
    ) -> None:
        """`subject` is the kind or resource, and the name, that the error is about; "" where it is not known."""
        # Whoever named an object or sent a value may have put into it what a terminal obeys.
        lines = _sentence(code, reason, message, violations, subject).split("\n")
        super().__init__("\n".join(map(visible, lines)))
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata = metadata


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server proves who it is, and what it is shown (PEM).

    None for `ca`: the roots that gRPC comes with; for certificate and key: nothing is shown; for `server_name`: the
    certificate is for the host that is connected to.
    """

    ca: bytes | None = None
    certificate: bytes | None = None
    key: Secret | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, "unix:/path" or "host:port", and as whom it is called.

    None for `tls`: without encryption; for `token`: no bearer token. `metadata` goes with every call.
    """

    target: str
    tls: Tls | None = None
    token: Secret | None = None
    metadata: tuple[tuple[str, str], ...] = field(default=())


@contextmanager
def connected(server: Server, *, timeout: float, pause: Callable[[float], None] = time.sleep) -> Iterator[ConfigClient]:
    """A client while the context lasts; nothing is sent before the first call.

    `timeout`: for how many seconds a call is waited for, besides what it waits for proxies; 0: without an end. A watch
    never times out. `pause` waits so many seconds before a watch is begun again.
    """
    with _channel(server) as channel:
        yield ConfigClient(channel, server, timeout, pause)


class ConfigClient:
    """Calls of the ConfigService; each raises ApiError when it has no answer."""

    def __init__(self, channel: grpc.Channel, server: Server, timeout: float, pause: Callable[[float], None]) -> None:
        """As `connected` makes it."""
        self._channel = channel
        self._target = server.target
        self._metadata = _metadata(server)
        self._timeout = timeout
        self._pause = pause
        self._answered = False

    def get(self, reference: config_pb2.Reference) -> config_pb2.Object:
        """An object as it is."""
        return self._call("Get", config_pb2.GetRequest(reference=reference), config_pb2.Object)

    def pages(self, request: config_pb2.ListRequest) -> Iterator[config_pb2.ListResponse]:
        """Every page of a list from that of the request on, at least one; all show one moment."""
        following = config_pb2.ListRequest()
        following.CopyFrom(request)
        while True:
            page = self._call("List", following, config_pb2.ListResponse)
            yield page
            if not page.next_page_token:
                return
            following.page_token = page.next_page_token

    def watch(self, request: config_pb2.WatchRequest) -> Iterator[config_pb2.WatchResponse]:
        """What happens, without an end: when the server goes away, the watch goes on once it is back.

        A server that has never answered this client is not waited for. A watch without a resource_version that is cut
        before its first bookmark begins anew, so that objects are told twice.
        """
        following = config_pb2.WatchRequest()
        following.CopyFrom(request)
        seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                for response in self._watched(following):
                    self._answered, seconds = True, _FIRST_PAUSE_SECONDS
                    following.resource_version = response.resource_version or following.resource_version
                    yield response
            except ApiError as error:
                if error.code not in _CUT or not self._answered:
                    raise
            self._pause(seconds)
            seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)

    def batch_apply(self, request: config_pb2.BatchApplyRequest) -> config_pb2.BatchApplyResponse:
        """Applies all of the objects, or none."""
        return self._call("BatchApply", request, config_pb2.BatchApplyResponse, _wait(request.options))

    def delete(self, request: config_pb2.DeleteRequest) -> config_pb2.WriteResponse:
        """Removes an object, or marks it while it has finalizers."""
        return self._call("Delete", request, config_pb2.WriteResponse, _wait(request.options))

    def _call(self, method: str, request: Message, response: type[_Response], wait: float = 0.0) -> _Response:
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=_serialized,
            response_deserializer=response.FromString,
        )
        timeout = self._timeout + wait if self._timeout else None
        try:
            answer = call(request, metadata=self._metadata, timeout=timeout)
        except grpc.RpcError as error:
            raise _error(error, self._target) from error
        self._answered = True
        return answer

    def _watched(self, request: config_pb2.WatchRequest) -> Iterator[config_pb2.WatchResponse]:
        begin = self._channel.unary_stream(
            f"/{SERVICE}/Watch",
            request_serializer=_serialized,
            response_deserializer=config_pb2.WatchResponse.FromString,
        )
        call = begin(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as error:
            raise _error(error, self._target) from error
        finally:
            call.cancel()


def _wait(options: config_pb2.WriteOptions) -> float:
    return options.wait.ToTimedelta().total_seconds()


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _metadata(server: Server) -> tuple[tuple[str, str], ...]:
    if server.token is None:
        return server.metadata
    return (*server.metadata, ("authorization", f"Bearer {server.token.reveal().decode()}"))


def _channel(server: Server) -> grpc.Channel:
    tls = server.tls
    if tls is None:
        return grpc.insecure_channel(server.target, options=_OPTIONS)
    key = None if tls.key is None else tls.key.reveal()
    credentials = grpc.ssl_channel_credentials(tls.ca, key, tls.certificate)
    name = (("grpc.ssl_target_name_override", tls.server_name),) if tls.server_name else ()
    return grpc.secure_channel(server.target, credentials, options=(*_OPTIONS, *name))


def _error(error: grpc.RpcError, target: str) -> ApiError:
    # What a channel raises is a grpc.Call as well, which the stubs do not know.
    call = cast("grpc.Call", error)
    code, message = call.code().name, call.details() or ""
    info, subject = error_details_pb2.ErrorInfo(), error_details_pb2.ResourceInfo()
    broken, held = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
    try:
        status = rpc_status.from_call(call)
        for detail in () if status is None else status.details:
            for message_of_kind in (info, subject, broken, held):
                detail.Unpack(message_of_kind)
    # Details that cannot be read, or are of another error, are not the ConfigService's.
    except (DecodeError, ValueError):
        info.Clear()
    if not info.reason:
        return ApiError(code, "", _unreached(call.code(), message, target))
    metadata = dict(info.metadata)
    violations = itertools.chain(
        ((violation.field, violation.description) for violation in broken.field_violations),
        ((violation.subject, violation.description) for violation in held.violations),
    )
    index = metadata.get("index", "")
    prefix = f"objects[{index}]."
    return ApiError(
        code,
        info.reason,
        message.removeprefix(f"object {index}: ") if index else message,
        tuple((name.removeprefix(prefix), description) for name, description in violations),
        metadata,
        (subject.resource_type, subject.resource_name),
    )


def _unreached(code: grpc.StatusCode, message: str, target: str) -> str:
    """What to say when it is not the ConfigService that refuses, but what is before it, or nobody is there."""
    match code:
        case grpc.StatusCode.PERMISSION_DENIED | grpc.StatusCode.UNAUTHENTICATED:
            return (
                f"{target} refuses this client ({message}); show another certificate or token, or allow this one there"
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"what listens at {target} has no config API; give --server the address of config.listen"
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"{target} did not answer in time; look whether it is well, or give a longer --request-timeout"
        case grpc.StatusCode.UNAVAILABLE:
            why = message.rpartition(_LAST_ERROR)[2].removeprefix("UNKNOWN: ")
            return (
                f"the connection to the server {target} failed ({why}); start the control plane, or name another "
                "with --server or --context"
            )
    return f"the call to {target} failed ({code.name}: {message}); try again, and look into the control plane's log"


def _sentence(
    code: str, reason: str, message: str, violations: tuple[tuple[str, str], ...], subject: tuple[str, str]
) -> str:
    if not reason:
        return f"error: {message}"
    if code == grpc.StatusCode.UNAUTHENTICATED.name:
        return f"error: You must be logged in to the server ({message})"
    if reason != _INVALID or not violations:
        return f"Error from server ({reason}): {message}"
    resource, name = subject
    about = f'The {resource.partition(".")[0]} "{name}" is invalid: ' if resource else "The request is invalid: "
    told = [f"{path}: {description}" if path else description for path, description in violations]
    return about + (told[0] if len(told) == 1 else "".join(f"\n* {each}" for each in told))
