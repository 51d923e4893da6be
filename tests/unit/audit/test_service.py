"""The face that Envoy's access log speaks to, over real gRPC."""

from __future__ import annotations

from pathlib import Path

import grpc
import orjson
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.policy import AuditPolicy, Level, Rule
from controlplane.audit.recorder import Recorder
from controlplane.audit.service import handlers
from controlplane.model.identity import RequestInfo


async def test_streams_become_lines(tmp_path: Path) -> None:
    """Each message is dealt with as it comes, and the stream ends with its client's."""
    lines: list[bytes] = []
    policy = Watchable(AuditPolicy((Rule(Level.METADATA),), frozenset({"RequestReceived"})))
    registry = CollectorRegistry()
    recorder = Recorder(
        policy,
        lambda method, target: RequestInfo(is_resource_request=False, path=target, verb=method.lower()),
        lines.extend,
        AuditMetrics(registry),
        lambda: "made",
    )
    message = als_pb2.StreamAccessLogsMessage()
    logged = message.http_logs.log_entry.add()
    logged.request.path, logged.common_properties.access_log_type = "/one", 6
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(handlers(recorder)))
    server.add_insecure_port(f"unix:{tmp_path}/audit.sock")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/audit.sock") as channel:
        await als_pb2_grpc.AccessLogServiceStub(channel).StreamAccessLogs(iter([message, message]))
    await server.stop(0)

    assert [orjson.loads(line)["requestURI"] for line in lines] == ["/one", "/one"]
    assert registry.get_sample_value("isthmus_audit_events_total") == 2
