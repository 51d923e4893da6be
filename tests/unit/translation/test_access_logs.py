"""Envoy's access log, which the audit log is made of."""

from __future__ import annotations

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.extensions.access_loggers.grpc.v3 import als_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from controlplane.translation import names
from controlplane.translation.access_logs import access_log, access_log_options


def test_records_go_to_the_control_plane() -> None:
    """In small messages, a tenth of a second after the request at the latest."""
    logger = accesslog_pb2.AccessLog.FromString(bytes(access_log()))
    config = als_pb2.HttpGrpcAccessLogConfig()

    assert logger.typed_config.Unpack(config)
    common = config.common_config
    assert common.grpc_service.envoy_grpc.cluster_name == names.AUDIT_CLUSTER
    assert (common.buffer_flush_interval.ToMilliseconds(), common.buffer_size_bytes.value) == (100, 16_384)
    assert list(config.additional_request_headers_to_log) == [":method", "audit-id", "x-real-ip"]


def test_a_request_that_goes_on_is_told_of_at_times_that_a_period_cannot_miss() -> None:
    """Each window but the first is wider than the period, and the first begins with the request."""
    logger = accesslog_pb2.AccessLog.FromString(bytes(access_log()))
    options = http_connection_manager_pb2.HttpConnectionManager.HcmAccessLogOptions.FromString(
        bytes(access_log_options())
    )
    _, running = logger.filter.or_filter.filters[1].and_filter.filters
    windows = [
        tuple(bound.duration_filter.comparison.value.default_value for bound in window.and_filter.filters)
        for window in running.or_filter.filters
    ]

    assert windows[0][0] == 0
    assert all(high - low > options.access_log_flush_interval.ToMilliseconds() for low, high in windows)
    assert windows == sorted(windows)
