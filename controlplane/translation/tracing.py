"""How Envoy traces requests.

In: at whose address, and how many of a million. Out: the part of the connection manager that traces, and the early
header mutation that makes its decisions Envoy's own. Law: no client has a request traced, or kept from being traced.
"""

from __future__ import annotations

from dataclasses import dataclass

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import GrpcService, GrpcServiceEnvoyGrpc, TypedExtensionConfig
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.extensions.tracers.opentelemetry.samplers.v3 import TraceIdRatioBasedSamplerConfig
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.filters import any_of


@dataclass(frozen=True, slots=True)
class Traces:
    """Where spans go (OTLP over gRPC), and how many of a million requests have them."""

    endpoint: Address
    per_million: int


def tracing(traces: Traces) -> HttpConnectionManagerTracing:
    """The tracer: OpenTelemetry's, which tells authorization and backends of the trace by W3C headers."""
    rate = FractionalPercent(numerator=traces.per_million, denominator=FractionalPercentDenominatorType.MILLION)
    sampler = TraceIdRatioBasedSamplerConfig(sampling_percentage=rate)
    tracer = OpenTelemetryConfig(
        grpc_service=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=names.TRACING_CLUSTER)),
        service_name="isthmus-envoy",
        sampler=TypedExtensionConfig(
            name="envoy.tracers.opentelemetry.samplers.trace_id_ratio_based", typed_config=any_of(sampler)
        ),
    )
    provider = TracingHttp(name="envoy.tracers.opentelemetry", typed_config=any_of(tracer))
    return HttpConnectionManagerTracing(provider=provider)


def clients_contexts_removed() -> TypedExtensionConfig:
    """Removes what a client says of a trace: by the choice of an identifier it could have all its requests sampled."""
    mutations = [HeaderMutation(remove=name) for name in ("traceparent", "tracestate")]
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=any_of(EarlyHeaderMutation(mutations=mutations)),
    )
