"""The gRPC face of CSDS, Envoy's own API for asking a control plane how its proxies are.

In: requests of envoy.service.status.v3.ClientStatusDiscoveryService. Out: one ClientConfig for each open xDS stream,
with an entry for each type it subscribes to and one for each resource it lacks because of a rejection. Law: no content
of any resource is told, and a request for more than is known here is refused, not half answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any, Final

import grpc
from envoy.admin.v3.config_dump_shared_pb2 import UpdateFailureState
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.status.v3.csds_pb2 import (
    ERROR,
    STALE,
    SYNCED,
    ClientConfig,
    ClientStatusRequest,
    ClientStatusResponse,
)
from envoy.type.matcher.v3.node_pb2 import NodeMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.model.proxy import Proxy, ProxyState, ProxyType

_SERVICE: Final = "envoy.service.status.v3.ClientStatusDiscoveryService"
_STATUS: Final = MappingProxyType({ProxyState.SYNCED: SYNCED, ProxyState.STALE: STALE, ProxyState.REJECTED: ERROR})

_Context = grpc.aio.ServicerContext[Any, Any]


def handlers(connected: Callable[[], tuple[Proxy, ...]], epoch: Callable[[], float]) -> list[grpc.GenericRpcHandler]:
    """The handlers of CSDS, for a grpc.aio server.

    `connected` gives the proxies there are now, `epoch` what to add to their times to get seconds since 1970. A stream
    is answered once a request, with the state of the moment.
    """

    async def fetch(request: ClientStatusRequest, context: _Context) -> ClientStatusResponse:
        try:
            return response(request, connected(), epoch())
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    async def stream(
        requests: AsyncIterator[ClientStatusRequest], context: _Context
    ) -> AsyncIterator[ClientStatusResponse]:
        async for request in requests:
            yield await fetch(request, context)

    # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same functions.
    unary: Any = grpc.unary_unary_rpc_method_handler
    streaming: Any = grpc.stream_stream_rpc_method_handler
    parse, encode = ClientStatusRequest.FromString, ClientStatusResponse.SerializeToString
    methods = {
        "FetchClientStatus": unary(fetch, request_deserializer=parse, response_serializer=encode),
        "StreamClientStatus": streaming(stream, request_deserializer=parse, response_serializer=encode),
    }
    return [grpc.method_handlers_generic_handler(_SERVICE, methods)]


def response(request: ClientStatusRequest, proxies: Iterable[Proxy], epoch: float) -> ClientStatusResponse:
    """The proxies that one of the request's node matchers fits, or all when it has none.

    Raises:
        ValueError: when a matcher asks for more than the node id, or by a regular expression.
    """
    for number, matcher in enumerate(request.node_matchers):
        if matcher.node_metadatas or matcher.node_id.WhichOneof("match_pattern") in {"safe_regex", "custom"}:
            raise ValueError(
                f"node_matchers[{number}]: only node_id is compared, by exact, prefix, suffix or contains; ask for that"
            )
    return ClientStatusResponse(
        config=(
            _config(proxy, epoch)
            for proxy in proxies
            if not request.node_matchers or any(_fits(matcher, proxy.node_id) for matcher in request.node_matchers)
        )
    )


def _fits(matcher: NodeMatcher, node_id: str) -> bool:
    wanted: StringMatcher = matcher.node_id
    kind = wanted.WhichOneof("match_pattern")
    if kind is None:
        return True
    pattern: str = getattr(wanted, kind)
    if wanted.ignore_case:
        pattern, node_id = pattern.lower(), node_id.lower()
    match kind:
        case "exact":
            return node_id == pattern
        case "prefix":
            return node_id.startswith(pattern)
        case "suffix":
            return node_id.endswith(pattern)
        case _:
            return pattern in node_id


def _config(proxy: Proxy, epoch: float) -> ClientConfig:
    return ClientConfig(
        node=Node(id=proxy.node_id, cluster=proxy.cluster, user_agent_version=proxy.version),
        generic_xds_configs=(entry for kind in proxy.types for entry in _entries(kind, epoch)),
    )


def _entries(kind: ProxyType, epoch: float) -> Iterator[ClientConfig.GenericXdsConfig]:
    # An entry a resource would be a message of megabytes at 10,000 APIServices, past what clients take: what is in step
    # needs no name.
    whole = ClientConfig.GenericXdsConfig(type_url=kind.type_url, config_status=_STATUS[kind.state])
    if kind.acked_at is not None:
        whole.last_updated.CopyFrom(_timestamp(kind.acked_at, epoch))
    yield whole
    for resource in kind.rejected:
        yield ClientConfig.GenericXdsConfig(
            type_url=kind.type_url,
            name=resource.name,
            version_info=resource.version,
            config_status=ERROR,
            error_state=UpdateFailureState(details=resource.reason, version_info=resource.version),
        )


def _timestamp(time: float, epoch: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMilliseconds(round((time + epoch) * 1000))
    return stamp
