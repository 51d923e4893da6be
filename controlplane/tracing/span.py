"""Spans, and how OTLP has them.

In: a W3C traceparent, times, names. Out: messages. Law: a context that is not to the letter of the specification is
none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

_VERSION: Final = "00"
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """The sampled span that another is a part of, by its trace and its own identifier (16 and 8 bytes)."""

    trace: bytes
    span: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time for a request; times are nanoseconds since 1970, `failed` says that it was not done."""

    parent: Parent
    identifier: bytes
    name: str
    start: int
    end: int
    failed: bool = False


def parent_of(traceparent: str) -> Parent | None:
    """The parent that a traceparent (W3C Trace Context) names; None when it is none, or is not sampled."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match[1] != _VERSION or not int(match[4], 16) & _SAMPLED:
        return None
    parent = Parent(bytes.fromhex(match[2]), bytes.fromhex(match[3]))
    return parent if any(parent.trace) and any(parent.span) else None


def message(service: str, spans: Iterable[Span]) -> bytes:
    """The serialised ExportTraceServiceRequest in which `service` tells of its spans."""
    request = ExportTraceServiceRequest()
    told = request.resource_spans.add()
    attribute = told.resource.attributes.add(key="service.name")
    attribute.value.string_value = service
    # Lately scope_spans, with the same number and form.
    scope = told.instrumentation_library_spans.add()
    for span in spans:
        written = scope.spans.add(
            trace_id=span.parent.trace,
            parent_span_id=span.parent.span,
            span_id=span.identifier,
            name=span.name,
            kind=trace_pb2.Span.SPAN_KIND_SERVER,
            start_time_unix_nano=span.start,
            end_time_unix_nano=span.end,
        )
        if span.failed:
            written.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    return bytes(request.SerializeToString())
