"""What sends spans to a collector.

In: the metadata of calls that begin and end. Out: OTLP over gRPC, a few times a second at most. Law: nobody waits for
the collector; what it does not take is dropped, and the log says so when that begins and when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import grpc
import structlog

from controlplane.settings.address import Address
from controlplane.tracing.span import Span, message, parent_of

_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SERVICE: Final = "isthmus"
_MOST: Final = 2048
_PAUSE_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 1.0

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

_log = structlog.stdlib.get_logger(__name__)


class Exporter:
    """Keeps the spans of calls until they are sent; `clock` gives nanoseconds since 1970, `random` so many bytes."""

    def __init__(
        self,
        send: Callable[[bytes], grpc.aio.UnaryUnaryCall[bytes, bytes]],
        *,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self._send = send
        self._clock = clock
        self._random = random
        self._waiting: list[Span] = []
        self._failing = False

    @contextmanager
    def around(self, name: str, metadata: Metadata) -> Iterator[None]:
        """Makes a span of what is within, when the metadata of a call says that its request is traced."""
        text = next((value for key, value in metadata if key == "traceparent"), "")
        parent = parent_of(text) if isinstance(text, str) and text else None
        if parent is None or len(self._waiting) >= _MOST:
            yield
            return
        start, failed = self._clock(), True
        try:
            yield
            failed = False
        finally:
            self._waiting.append(Span(parent, self._random(8), name, start, self._clock(), failed))

    async def run(self) -> None:
        """Sends what there is, again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Sends what there is, once."""
        spans, self._waiting = self._waiting, []
        if not spans:
            return
        try:
            await self._send(message(_SERVICE, spans))
        except grpc.aio.AioRpcError as error:
            if not self._failing:
                _log.warning("spans cannot be sent, they are dropped", reason=error.details() or error.code().name)
            self._failing = True
            return
        if self._failing:
            _log.info("spans are sent again")
        self._failing = False


@asynccontextmanager
async def exporting(
    endpoint: Address, *, clock: Callable[[], int], random: Callable[[int], bytes]
) -> AsyncIterator[Exporter]:
    """An exporter to a collector, while the context lasts; in the end what is left is sent, if that goes quickly."""
    async with grpc.aio.insecure_channel(str(endpoint)) as channel:
        export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_EXPORT)
        exporter = Exporter(lambda body: export(body, timeout=_PATIENCE_SECONDS), clock=clock, random=random)
        running = asyncio.create_task(exporter.run(), name="spans")
        try:
            yield exporter
        finally:
            running.cancel()
            await asyncio.wait({running})
            await exporter.flush()
