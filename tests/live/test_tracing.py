"""Traces through the real Envoy: one trace a request, of Envoy's spans and the control plane's; or none at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from backend import Backend
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list"]}
SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}


class Collector:
    """An OpenTelemetry collector that remembers the spans it is told of, by the service that tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[tuple[str, Any]] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        export = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=trace_service_pb2.ExportTraceServiceRequest.FromString,
            response_serializer=trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": export}),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def spans(self, path: str = "") -> list[tuple[str, Any]]:
        """The spans so far; with a path, those of the traces in which Envoy was asked for it."""
        with self._lock:
            spans = list(self._spans)
        if not path:
            return spans
        traces = {span.trace_id for _, span in spans for each in span.attributes if path in each.value.string_value}
        return [(service, span) for service, span in spans if span.trace_id in traces]

    def stop(self) -> None:
        """Ends it."""
        self._server.stop(None).wait()

    def _export(self, request: Any, _: grpc.ServicerContext) -> Any:  # noqa: ANN401 - protobuf classes without types
        told = request.resource_spans
        with self._lock:
            for each in told:
                names = [one.value.string_value for one in each.resource.attributes if one.key == "service.name"]
                self._spans += [
                    (names[0], span) for scope in each.instrumentation_library_spans for span in scope.spans
                ]
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def traced(rate: int, workers: int = 0) -> Iterator[tuple[Stack, Backend, Collector]]:
    """A front door that traces so many of a million requests and keeps no verdicts, its backend, and a collector."""
    collector = Collector()
    settings: dict[str, dict[str, object]] = {
        "tracing": {"endpoint": f"127.0.0.1:{collector.port}", "samplingRatePerMillion": rate},
        "verdictCache": {"enabled": False},
    }
    stack = Stack(settings=settings)
    stack.set("authorization", workers=workers)
    try:
        with stack, Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
            stack.drop("echo.yaml", *registration(GROUP, "v1", backend.port, stack.servers.certificate))
            stack.drop("rights.yaml", *grant("reader", READ, groups=["developers"]))
            until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
            yield stack, backend, collector
    finally:
        collector.stop()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_request_is_one_trace(workers: int) -> None:
    """Envoy's span of the request, of its question, the decision as a part of it; and the backend is told of it."""
    with traced(1_000_000, workers) as (stack, backend, collector):
        target = f"{THINGS}/one"
        assert stack.status(target, stack.http("reader", "developers"), **SAMPLED) == 200

        assert stack.status(target, stack.http(), Authorization="Bearer s3cr3t") == 401

        def of(service: str) -> list[Any]:
            return [span for name, span in collector.spans(target) if name == service]

        def whole() -> bool:
            envoys = {span.span_id for span in of("isthmus-envoy")}
            return len(of("isthmus")) == 2 and all(span.parent_span_id in envoys for span in of("isthmus"))

        until(whole, "both decisions are told of, each as a part of a span of Envoy's")
        (line,) = backend.seen[-1].lines("traceparent")
        served = line.split("-")[1]
        (decision,) = [span for span in of("isthmus") if span.trace_id.hex() == served]
        assert "authorization" == decision.name
        assert 0 < decision.end_time_unix_nano - decision.start_time_unix_nano < 10**10
        assert "01" == line.split("-")[3]
        assert "s3cr3t" not in repr(collector.spans())
        assert "reader" not in repr(collector.spans())
        # It is Envoy's own trace, not the client's.
        assert served != TRACE
        assert backend.seen[-1].lines("tracestate") in ([], [""])


def test_clients_do_not_choose() -> None:
    """At one request in a million, none of fifty is traced whatever clients say; their contexts reach no backend."""
    with traced(1) as (stack, backend, collector):
        client = stack.http("reader", "developers")
        low = f"00-{'0' * 31}1-b7ad6b7169203331-01"
        for _ in range(25):
            assert stack.status(THINGS, client, **SAMPLED) == 200
            assert stack.status(THINGS, client, traceparent=low) == 200
        contexts = [line for seen in backend.seen for line in seen.lines("traceparent")]
        stack.stop()

        assert [] == [line for line in contexts if line.endswith("-01") or TRACE in line or low[3:35] in line]
        assert [] == collector.spans()


def test_nothing_is_traced_at_a_rate_of_zero() -> None:
    """Envoy knows no collector, nobody connects to one, and what a client says of its trace is passed on."""
    with traced(0) as (stack, backend, collector):
        assert stack.status(THINGS, stack.http("reader", "developers"), **SAMPLED) == 200

        assert [SAMPLED["traceparent"]] == backend.seen[-1].lines("traceparent")
        assert {} == stack.stats("^cluster.isthmus/tracing.*")
        assert [] == collector.spans()


def test_a_collector_that_is_down_disturbs_nobody() -> None:
    """Requests are served, and the log says once that spans are dropped."""
    with traced(1_000_000) as (stack, _, collector):
        collector.stop()
        client = stack.http("reader", "developers")
        assert {200} == {stack.status(THINGS, client) for _ in range(20)}
        assert stack.control_plane is not None
        log = stack.control_plane.log
        until(lambda: "spans cannot be sent" in log.read_text(), "it is said")
        assert 1 == log.read_text().count("spans cannot be sent")
