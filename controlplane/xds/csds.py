"""The gRPC face of CSDS, Envoy's own API for asking a control plane how its proxies are.

In: requests of envoy.service.status.v3.ClientStatusDiscoveryService. Out: one ClientConfig for each open xDS stream,
with an entry for each resource; types for which the message would grow too long have an entry without a name, and one
for each resource that is out of step. Law: no content of any resource is told, and a request for more than is known
here is refused, not half answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import grpc
from envoy.config.core.v3.base_pb2 import Node
from envoy.service.status.v3.csds_pb2 import (
    ERROR,
    NOT_SENT,
    STALE,
    SYNCED,
    ClientConfig,
    ClientStatusRequest,
    ClientStatusResponse,
)
from envoy.type.matcher.v3.node_pb2 import NodeMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.timestamp_pb2 import Timestamp

from controlplane.model.proxy import Proxy, ProxyResource, ProxyState, ProxyType, ResourceState

_SERVICE: Final = "envoy.service.status.v3.ClientStatusDiscoveryService"
_STATUS: Final = MappingProxyType({ProxyState.SYNCED: SYNCED, ProxyState.STALE: STALE, ProxyState.REJECTED: ERROR})
_RESOURCE_STATUS: Final = MappingProxyType(
    {
        ResourceState.SYNCED: SYNCED,
        ResourceState.NOT_SENT: NOT_SENT,
        ResourceState.STALE: STALE,
        ResourceState.REJECTED: ERROR,
    }
)
MAX_BYTES: Final = 7 * 512 * 1024
"""An answer is kept below this where it can be: past 4 MiB, gRPC clients refuse it whole."""
_FIELD_BYTES: Final = 4

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

    Of each type every resource is told by itself as long as `MAX_BYTES` hold it, the types with the fewest first. Of
    the others the state of the whole, and what is out of step as far as there is room for it.

    Raises:
        ValueError: when a matcher asks for more than the node id, or by a regular expression.
    """
    for number, matcher in enumerate(request.node_matchers):
        if matcher.node_metadatas or matcher.node_id.WhichOneof("match_pattern") in {"safe_regex", "custom"}:
            raise ValueError(
                f"node_matchers[{number}]: only node_id is compared, by exact, prefix, suffix or contains; ask for that"
            )
    chosen = [
        proxy
        for proxy in proxies
        if not request.node_matchers or any(_fits(matcher, proxy.node_id) for matcher in request.node_matchers)
    ]
    told = {id(kind): _Told(kind, epoch) for proxy in chosen for kind in proxy.types}
    answer = ClientStatusResponse()
    for proxy in chosen:
        answer.config.add().node.MergeFrom(
            Node(id=proxy.node_id, cluster=proxy.cluster, user_agent_version=proxy.version)
        )
    room = MAX_BYTES - sum(_size(config) for config in answer.config)
    for one in told.values():
        room -= one.briefly(room)
    # The small types first, so that as many as can be are told in full.
    for one in sorted(told.values(), key=lambda one: one.kind.total):
        more = None if one.kind.total * len(one.kind.type_url) > room else one.fully(room)
        if more is None:
            break
        room -= more
    for config, proxy in zip(answer.config, chosen, strict=True):
        for kind in proxy.types:
            config.generic_xds_configs.extend(told[id(kind)].entries)
    return answer


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


class _Told:
    """What is told of one type of one proxy."""

    def __init__(self, kind: ProxyType, epoch: float) -> None:
        self.kind = kind
        self.entries: list[ClientConfig.GenericXdsConfig] = []
        self._epoch = epoch
        self._size = 0

    def briefly(self, room: int) -> int:
        """Tells of the type as a whole, and of as much of what is out of step as `room` bytes hold; the bytes taken."""
        self.entries = [_whole(self.kind, self._epoch)]
        self._size = _size(self.entries[0])
        for resource in islice(self.kind.resources(), self.kind.behind):
            entry = _entry(self.kind, resource, self._epoch)
            if self._size + _size(entry) > room:
                break
            self.entries.append(entry)
            self._size += _size(entry)
        return self._size

    def fully(self, room: int) -> int | None:
        """Tells of every resource instead; the bytes taken in addition, None (and nothing done) when `room` is less."""
        entries, size = [], -self._size
        for resource in self.kind.resources():
            entry = _entry(self.kind, resource, self._epoch)
            size += _size(entry)
            if size > room:
                return None
            entries.append(entry)
        self.entries = entries
        return size


def _whole(kind: ProxyType, epoch: float) -> ClientConfig.GenericXdsConfig:
    entry = ClientConfig.GenericXdsConfig(type_url=kind.type_url, config_status=_STATUS[kind.state])
    if kind.acked_at is not None:
        entry.last_updated.CopyFrom(_timestamp(kind.acked_at, epoch))
    return entry


def _entry(kind: ProxyType, resource: ProxyResource, epoch: float) -> ClientConfig.GenericXdsConfig:
    entry = ClientConfig.GenericXdsConfig(
        type_url=kind.type_url,
        name=resource.name,
        version_info=resource.held,
        config_status=_RESOURCE_STATUS[resource.state],
    )
    if resource.state is ResourceState.REJECTED:
        entry.error_state.details = resource.reason
        entry.error_state.version_info = resource.wanted
        if resource.rejected_at is not None:
            entry.error_state.last_update_attempt.CopyFrom(_timestamp(resource.rejected_at, epoch))
    return entry


def _size(message: ClientConfig | ClientConfig.GenericXdsConfig) -> int:
    """The bytes that a message takes as a field of another."""
    length: int = message.ByteSize()
    return length + _FIELD_BYTES


def _timestamp(time: float, epoch: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMilliseconds(round((time + epoch) * 1000))
    return stamp
