"""What Envoy tells of every request, for the audit log.

In: nothing. Out: the access logger of the connection manager, and when it is told of a request. Law: a short request is
told of once, when it ends; a long one also while it runs, so that a watch is known of before it ends.

Envoy has no record for the moment at which a response begins. What is told of a request that goes on is therefore the
periodic record, cut down to the first few and, for a response that begins late, to seldom ones.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLog,
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    DurationFilter,
    LogTypeFilter,
    OrFilter,
)
from envoy_data_plane.envoy.config.core.v3 import ApiVersion, GrpcService, GrpcServiceEnvoyGrpc, RuntimeUInt32
from envoy_data_plane.envoy.data.accesslog.v3 import AccessLogType
from envoy_data_plane.envoy.extensions.access_loggers.grpc.v3 import CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManagerHcmAccessLogOptions,
)

from controlplane.translation import names
from controlplane.translation.filters import any_of

LOG_NAME: Final = "isthmus.audit"

_PERIOD: Final = timedelta(seconds=1)
# The first covers the longest wait for authorization. Each other one is wide enough for one record, whenever it comes.
_TOLD_WHILE_RUNNING: Final = (
    (0, 6_500),
    (15_000, 17_000),
    (60_000, 62_000),
    (300_000, 302_000),
    (1_800_000, 1_802_000),
)

_FLUSH: Final = timedelta(milliseconds=100)
# About a dozen records: the control plane authorizes requests between two messages, not within one.
_BUFFER_BYTES: Final = 16 * 1024

_REQUEST_HEADERS: Final = (":method", "audit-id", "x-real-ip")


def access_log() -> AccessLog:
    """The logger that sends records to the control plane's audit face."""
    common = CommonGrpcAccessLogConfig(
        log_name=LOG_NAME,
        grpc_service=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=names.AUDIT_CLUSTER)),
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=_FLUSH,
        buffer_size_bytes=_BUFFER_BYTES,
    )
    config = HttpGrpcAccessLogConfig(common_config=common, additional_request_headers_to_log=list(_REQUEST_HEADERS))
    return AccessLog(
        name="envoy.access_loggers.http_grpc",
        filter=_any([_is(AccessLogType.DownstreamEnd), _all([_is(AccessLogType.DownstreamPeriodic), _in_time()])]),
        typed_config=any_of(config),
    )


def access_log_options() -> HttpConnectionManagerHcmAccessLogOptions:
    """When Envoy looks whether a request that goes on is to be told of."""
    return HttpConnectionManagerHcmAccessLogOptions(access_log_flush_interval=_PERIOD)


def _in_time() -> AccessLogFilter:
    windows = [
        _all([_duration(ComparisonFilterOp.GE, low), _duration(ComparisonFilterOp.LE, high)])
        for low, high in _TOLD_WHILE_RUNNING
    ]
    return _any(windows)


def _is(kind: AccessLogType) -> AccessLogFilter:
    return AccessLogFilter(log_type_filter=LogTypeFilter(types=[kind]))


def _duration(operator: ComparisonFilterOp, milliseconds: int) -> AccessLogFilter:
    value = RuntimeUInt32(default_value=milliseconds, runtime_key="isthmus.audit")
    return AccessLogFilter(duration_filter=DurationFilter(comparison=ComparisonFilter(op=operator, value=value)))


def _all(filters: list[AccessLogFilter]) -> AccessLogFilter:
    return AccessLogFilter(and_filter=AndFilter(filters=filters))


def _any(filters: list[AccessLogFilter]) -> AccessLogFilter:
    return AccessLogFilter(or_filter=OrFilter(filters=filters))
