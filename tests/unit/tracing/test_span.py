from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from controlplane.tracing.span import Parent, Span, message, parent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = Parent(bytes.fromhex(TRACE), bytes.fromhex(SPAN))


@pytest.mark.parametrize("flags", ["01", "03"])
def test_a_sampled_context_is_a_parent(flags: str) -> None:
    """Other flags make no difference."""
    assert PARENT == parent_of(f"00-{TRACE}-{SPAN}-{flags}")


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-02",
        f"01-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_anything_else_is_none(traceparent: str) -> None:
    """Not sampled, another version, capitals, more than there may be, all zero, too short."""
    assert parent_of(traceparent) is None


def test_spans_are_told_as_otlp_has_them() -> None:
    """By the service, each with its trace, its parent and its times."""
    spans = [
        Span(PARENT, b"12345678", "authorization", 10, 20),
        Span(PARENT, b"87654321", "authorization", 30, 40, True),
    ]

    (told,) = ExportTraceServiceRequest.FromString(message("isthmus", spans)).resource_spans
    first, second = told.instrumentation_library_spans[0].spans
    assert [("service.name", "isthmus")] == [(each.key, each.value.string_value) for each in told.resource.attributes]
    assert (PARENT.trace, PARENT.span, b"12345678") == (first.trace_id, first.parent_span_id, first.span_id)
    assert ("authorization", 10, 20) == (first.name, first.start_time_unix_nano, first.end_time_unix_nano)
    assert (0, 2) == (first.status.code, second.status.code)
