"""How Envoy traces."""

from __future__ import annotations

from envoy.config.trace.v3 import opentelemetry_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.tracers.opentelemetry.samplers.v3 import trace_id_ratio_based_sampler_pb2
from envoy.type.v3 import percent_pb2

from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.tracing import Traces, clients_contexts_removed, tracing


def test_so_many_of_a_million_requests_are_told_of() -> None:
    """To the collector's cluster, to the very number."""
    part = http_connection_manager_pb2.HttpConnectionManager.Tracing.FromString(
        bytes(tracing(Traces(Address.parse("127.0.0.1:4317"), 7)))
    )
    tracer = opentelemetry_pb2.OpenTelemetryConfig()
    sampler = trace_id_ratio_based_sampler_pb2.TraceIdRatioBasedSamplerConfig()

    assert part.provider.typed_config.Unpack(tracer)
    assert tracer.sampler.typed_config.Unpack(sampler)
    rate = sampler.sampling_percentage
    assert (names.TRACING_CLUSTER, 7) == (tracer.grpc_service.envoy_grpc.cluster_name, rate.numerator)
    assert percent_pb2.FractionalPercent.MILLION == rate.denominator


def test_what_a_client_says_of_traces_goes() -> None:
    """Both headers of W3C Trace Context."""
    mutation = header_mutation_pb2.HeaderMutation.FromString(clients_contexts_removed().typed_config.value)

    assert ["traceparent", "tracestate"] == [each.remove for each in mutation.mutations]
