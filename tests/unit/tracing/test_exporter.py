from __future__ import annotations

from collections.abc import Awaitable
from itertools import count

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from controlplane.tracing.exporter import Exporter

SAMPLED = [("user-agent", "envoy"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


class Collector:
    """Takes what is sent, or does not."""

    def __init__(self) -> None:
        self.down = False
        self.sent: list[bytes] = []

    async def send(self, body: bytes) -> bytes:
        """As a collector does."""
        if self.down:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "nobody")
        self.sent.append(body)
        return b""

    @property
    def names(self) -> list[str]:
        """The names of all spans."""
        told = [each for body in self.sent for each in ExportTraceServiceRequest.FromString(body).resource_spans]
        return [span.name for each in told for span in each.instrumentation_library_spans[0].spans]


def exporter(collector: Collector) -> Exporter:
    """An exporter whose clock goes by one."""

    def send(body: bytes) -> Awaitable[bytes]:
        return collector.send(body)

    return Exporter(send, clock=count().__next__, random=bytes)


async def test_a_sampled_call_is_a_span() -> None:
    """It is sent once."""
    collector = Collector()
    spans = exporter(collector)
    with spans.around("authorization", SAMPLED):
        pass
    await spans.flush()
    await spans.flush()

    assert ["authorization"] == collector.names
    assert 1 == len(collector.sent)


@pytest.mark.parametrize("metadata", [[], [("traceparent", "00-x-y-01")], [("traceparent", b"\xff")]])
async def test_any_other_call_is_none(metadata: list[tuple[str, str | bytes]]) -> None:
    """Nothing is sent, and nobody is disturbed."""
    collector = Collector()
    spans = exporter(collector)
    with spans.around("authorization", metadata):
        pass
    await spans.flush()

    assert [] == collector.sent


async def test_a_call_that_fails_is_a_span_too() -> None:
    """What it raised is passed on."""
    collector = Collector()
    spans = exporter(collector)
    with pytest.raises(ValueError, match="why"), spans.around("authorization", SAMPLED):
        raise ValueError("why")
    await spans.flush()

    (told,) = ExportTraceServiceRequest.FromString(collector.sent[0]).resource_spans
    assert 2 == told.instrumentation_library_spans[0].spans[0].status.code


async def test_what_cannot_be_sent_is_dropped_and_said_once() -> None:
    """And the log says when it goes on."""
    collector = Collector()
    collector.down = True
    spans = exporter(collector)
    with capture_logs() as logs:
        for _ in range(3):
            with spans.around("lost", SAMPLED):
                pass
            await spans.flush()
        collector.down = False
        with spans.around("kept", SAMPLED):
            pass
        await spans.flush()

    assert ["kept"] == collector.names
    assert ["spans cannot be sent, they are dropped", "spans are sent again"] == [line["event"] for line in logs]
    assert "nobody" == logs[0]["reason"]


async def test_no_more_than_a_few_thousand_wait() -> None:
    """Memory is bounded however slow the collector is."""
    collector = Collector()
    spans = exporter(collector)
    for _ in range(3000):
        with spans.around("authorization", SAMPLED):
            pass
    await spans.flush()

    assert 2048 == len(collector.names)
