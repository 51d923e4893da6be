"""The gRPC face of xDS: bytes in, bytes out.

In: streams of requests, snapshots from the cache. Out: responses. Law: requests are taken before pushes, one response
is written at a time, and the next is computed only after it was written, from the state of that moment.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import grpc
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from google.protobuf.message import DecodeError

from controlplane.snapshot.cache import SnapshotCache
from controlplane.xds import event
from controlplane.xds.announce import Announcer
from controlplane.xds.decode import decoded, delta_request, sotw_request
from controlplane.xds.fleet import Fleet
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.quarantine import Quarantine, Rejection
from controlplane.xds.request import MISSING_ID, DeltaRequest, Node, SotwRequest, ungrouped
from controlplane.xds.response import Response
from controlplane.xds.rollout import Rollout
from controlplane.xds.services import AGGREGATED, SINGLE_TYPE
from controlplane.xds.status import ProxyStatus, Withheld
from controlplane.xds.stream import Protocol, Stream

# A client that floods is held back by gRPC's flow control once this many of its requests wait.
_WAITING_REQUESTS: Final = 16

_log = structlog.stdlib.get_logger(__name__)

_Context = grpc.aio.ServicerContext[Any, bytes]


def server_options() -> list[tuple[str, int]]:
    """Options of a gRPC server that Envoys connect to.

    Envoy's keepalive pings are more frequent than gRPC tolerates by default, which would cut idle streams; our own
    pings find the Envoys that vanished without closing; the names of 10,000 resources in one request exceed its
    default limit of 4 MiB; two servers must not share a port unnoticed.
    """
    return [
        ("grpc.http2.min_ping_interval_without_data_ms", 1000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]


class XdsService:
    """The discovery services over one cache, aggregated and for single types, in both protocol variants.

    `group_of` names the node group whose snapshot a node gets, None when it shall get none, for which it is shown
    `keys` of the node's metadata; `looked_for` says what groups look for. `on_rejected` hears of every resource found
    guilty. `clock` is monotonic, in seconds. `wait_limit` and `shrink_limit` are those of `Stream`; a client that
    does not read for `write_limit` seconds is cut off.

    With `shares_rejections`, for groups of equal clients, what one of them rejected is sent to none of its group, on no
    later stream either; without it, a rejection concerns the stream it was made on.
    """

    def __init__(
        self,
        cache: SnapshotCache,
        metrics: XdsMetrics,
        *,
        group_of: Callable[[Node], str | None] = lambda _: "",
        keys: Collection[str] = (),
        looked_for: str = "",
        on_rejected: Callable[[event.Rejected], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        identifier: str = "isthmus",
        wait_limit: float = 5.0,
        write_limit: float = 30.0,
        shrink_limit: ShrinkLimit | None = None,
        shares_rejections: bool = False,
    ) -> None:
        # One outdated Envoy must not keep content from groups it does not belong to.
        self._quarantines: defaultdict[str, Quarantine] = defaultdict(partial(Quarantine, shared=True))
        self._shares_rejections = shares_rejections
        self._cache = cache
        self._metrics = metrics
        self._group_of = group_of
        self._keys = keys
        self._looked_for = looked_for
        self._announce = Announcer(metrics, on_rejected)
        self._clock = clock
        self._identifier = identifier
        self._wait_limit = wait_limit
        self._write_limit = write_limit
        self._shrink_limit = shrink_limit
        self._streams = Fleet()
        metrics.withholding.set_function(self._streams.withholding)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """The handlers to add to a `grpc.aio` server."""
        services = [self._methods(AGGREGATED, "AggregatedResources", "")]
        services.extend(self._methods(service, resources, type_url) for service, resources, type_url in SINGLE_TYPE)
        return services

    def rejections(self, group: str = "") -> tuple[Rejection, ...]:
        """What proxies of a node group have rejected, those that are connected unless rejections are shared."""
        shared = self._quarantines.get(group, ())
        return (*shared, *(each for own in self._streams.quarantines(group) if own is not shared for each in own))

    def statuses(self) -> list[ProxyStatus]:
        """How far every connected proxy is, longest connected first."""
        return self._streams.statuses()

    def in_step(self) -> bool:
        """True when there are clients, and all hold what they shall."""
        return self._streams.in_step(self._cache.latest)

    def awaiting(self, done: Callable[[], None]) -> AbstractContextManager[Rollout]:
        """Who has not acknowledged what is the latest now; `done` is called, perhaps at once, when nobody is left."""
        return self._streams.awaiting(self._cache.generations(), done)

    def withheld(self) -> tuple[Withheld, ...]:
        """The removals that wait for `confirm_removals`: a value for each type of each stream that withholds some."""
        return self._streams.withheld()

    def confirm_removals(self, group: str | None = None) -> int:
        """Confirms what a node group's latest snapshot removes, or every group's; how many streams that released.

        It holds for streams that connect later as well, until there is another snapshot.
        """
        latest = {name: self._cache.latest(name) for name in (self._cache.generations() if group is None else (group,))}
        return sum(
            self._streams.confirm(name, snapshot.generation)
            for name, snapshot in latest.items()
            if snapshot is not None
        )

    def _methods(self, service: str, resources: str, only: str) -> grpc.GenericRpcHandler:
        async def delta(messages: AsyncIterator[bytes], context: _Context) -> None:
            requests = decoded(messages, DeltaDiscoveryRequest.FromString, delta_request, self._keys)
            await _refusing_garbage(self._serve(Protocol.DELTA, requests, context, only), context)

        async def sotw(messages: AsyncIterator[bytes], context: _Context) -> None:
            requests = decoded(messages, DiscoveryRequest.FromString, sotw_request, self._keys)
            await _refusing_garbage(self._serve(Protocol.STATE_OF_THE_WORLD, requests, context, only), context)

        return grpc.method_handlers_generic_handler(
            service,
            {
                f"Delta{resources}": _method(delta),
                f"Stream{resources}": _method(sotw),
            },
        )

    async def _serve(
        self,
        protocol: Protocol,
        requests: AsyncIterator[DeltaRequest | SotwRequest],
        context: _Context,
        only: str,
    ) -> None:
        first = await anext(requests, None)
        if first is None:
            return
        group = await self._group(first.node, context)
        snapshot = self._cache.latest(group)
        if snapshot is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no configuration has been computed yet; try again soon")
        stream = Stream(
            protocol,
            snapshot,
            self._quarantines[group] if self._shares_rejections else Quarantine(),
            self._clock(),
            only=only,
            peer=context.peer(),
            identifier=self._identifier,
            wait_limit=self._wait_limit,
            shrink_limit=self._shrink_limit,
            confirmed=self._streams.confirmed(group),
        )
        wake = asyncio.Event()
        self._streams.join(stream, group, wake.set)
        self._metrics.streams.labels(protocol.value).inc()
        inbox: asyncio.Queue[DeltaRequest | SotwRequest] = asyncio.Queue(_WAITING_REQUESTS)
        inbox.put_nowait(first)
        # A first request names everything the client holds: kept, it would outweigh all else of a stream.
        del first
        reader = asyncio.create_task(_read(requests, inbox, wake))
        reader.add_done_callback(lambda _: wake.set())
        try:
            with self._cache.watch(group).telling(wake.set):
                await self._pump(stream, group, inbox, reader, wake, context)
        finally:
            # Before anything is awaited: gRPC may cancel this task a second time, in the middle of its ending.
            self._streams.leave(stream)
            self._metrics.streams.labels(protocol.value).dec()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            _log.info("xds stream closed", node=stream.node.id if stream.node else "", peer=context.peer())

    async def _group(self, node: Node | None, context: _Context) -> str:
        """The node's group; the stream of a node that has none, or does not say who it is, is ended."""
        named = node if node is not None and node.id else None
        group = self._group_of(named) if named is not None else None
        if group is None:
            # Nothing is wrong with the request of a node with a name: the same is good under other settings.
            code = grpc.StatusCode.PERMISSION_DENIED if named else grpc.StatusCode.INVALID_ARGUMENT
            reason = ungrouped(named, self._looked_for) if named else MISSING_ID
            self._announce(event.Refused(reason), node, context.peer())
            await context.abort(code, reason)
        return group

    async def _pump(
        self,
        stream: Stream,
        group: str,
        inbox: asyncio.Queue[DeltaRequest | SotwRequest],
        reader: asyncio.Task[None],
        wake: asyncio.Event,
        context: _Context,
    ) -> None:
        while True:
            wake.clear()
            while not inbox.empty():
                stream.receive(inbox.get_nowait(), self._clock())
            if reader.done():
                # Ended by the client, or by a request that cannot be parsed, which is raised here.
                reader.result()
                return
            latest = self._cache.latest(group)
            if latest is not None and latest is not stream.snapshot:
                changes = self._cache.changes_since(stream.snapshot.generation, group)
                stream.offer(latest, changes, self._clock())
            response = stream.next_response(self._clock())
            for happened in stream.events():
                self._announce(happened, stream.node, stream.peer)
                if isinstance(happened, event.Refused):
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, happened.reason)
            if response is None:
                self._streams.rested(stream)
                await _woken(wake, stream.deadline(), self._clock)
            elif not await self._written(response, context):
                return

    async def _written(self, response: Response, context: _Context) -> bool:
        message = response.encode()
        try:
            async with asyncio.timeout(self._write_limit):
                await context.write(message)
        except TimeoutError:
            self._metrics.write_timeouts.inc()
            _log.warning("xds stream cut", peer=context.peer(), reason="the client does not read", bytes=len(message))
            # `abort` would wait for the client to read the status; what this stream holds is to be freed now.
            context.set_code(grpc.StatusCode.DEADLINE_EXCEEDED)
            context.set_details("the client does not read")
            return False
        self._metrics.written(response.type_url, response.upserts, len(message))
        return True


async def _read(
    requests: AsyncIterator[DeltaRequest | SotwRequest],
    inbox: asyncio.Queue[DeltaRequest | SotwRequest],
    wake: asyncio.Event,
) -> None:
    """Moves requests to the inbox until the client closes its side."""
    async for request in requests:
        await inbox.put(request)
        wake.set()


async def _woken(wake: asyncio.Event, deadline: float | None, clock: Callable[[], float]) -> None:
    """Returns when something happened or the deadline has come."""
    if deadline is None:
        await wake.wait()
        return
    try:
        async with asyncio.timeout(max(0.0, deadline - clock())):
            await wake.wait()
    except TimeoutError:
        return


async def _refusing_garbage(serving: Awaitable[None], context: _Context) -> None:
    """Ends the stream of a client whose request cannot be parsed in a way that says whose fault it is."""
    try:
        await serving
    except DecodeError as error:
        _log.warning("xds stream refused", peer=context.peer(), reason=str(error))
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{error}; is the client built for xDS v3?")


def _method(
    behaviour: Callable[[AsyncIterator[bytes], _Context], Awaitable[None]],
) -> grpc.RpcMethodHandler[bytes, bytes]:
    # The stubs describe the synchronous server only; `grpc.aio` takes coroutines through the same function.
    behaviour_any: Any = behaviour
    # Requests are parsed in `decoded`: gRPC would answer garbage with UNKNOWN, or as if the client had closed.
    return grpc.stream_stream_rpc_method_handler(behaviour_any)
