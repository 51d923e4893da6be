"""What is told of one request, by Envoy or by a face of ours.

In: an access log entry (envoy.data.accesslog.v3), a message of protobuf's own classes. Out: a `Record`, or None for
bytes that never were a request. Law: whom the request was taken for comes only from what filters of ours wrote.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from envoy.data.accesslog.v3 import accesslog_pb2

AUTHORIZATION_METADATA: Final = "envoy.filters.http.ext_authz"
VERDICT_METADATA: Final = "isthmus.verdict"
AUDIT_FIELD: Final = "audit"
"""In both namespaces: what authorization said of the request, as `statement.py` reads it."""

_SECOND: Final = 1_000_000_000
_END: Final = accesslog_pb2.DownstreamEnd
_FROM_BACKEND: Final = "via_upstream"
_LOOPBACK: Final = ("127.", "::1")


class Record(NamedTuple):
    """One request, at its end or (not `final`) while it runs. Times are nanoseconds since 1970, 0 for not yet."""

    stream_id: str
    """The same in all records of one request and in those of no other; nothing that a client could choose."""
    final: bool
    method: str
    target: str
    audit_id: str
    user_agent: str
    forwarded_for: str
    real_ip: str
    peer: str
    statement: str
    verdict: str
    """hit: known to Envoy; miss: asked about, and may be known the next time; bypass: asked about every time."""
    received: int
    responded: int
    ended: int
    backend_time: int
    """Nanoseconds from the first byte sent to the backend until the first byte of its answer; 0 when there is none."""
    code: int
    details: str
    """Why Envoy answered by itself; "" for a backend's answer."""
    route: str
    cluster: str
    backend: str
    call: str = ""
    """The method of the config API that was called instead, <service>/<method>."""


def record_of(entry: Any) -> Record | None:  # noqa: ANN401 - a protobuf class without types
    """The record of an HTTPAccessLogEntry; None when Envoy could not read so much as a path."""
    request, common, response = entry.request, entry.common_properties, entry.response
    target = request.path
    if not target:
        return None
    headers = request.request_headers
    final = common.access_log_type == _END
    received = common.start_time.seconds * _SECOND + common.start_time.nanos
    statement, verdict = _statement(common.metadata.filter_metadata)
    responded = _nanoseconds(common, "time_to_first_downstream_tx_byte")
    sent, answered = (
        _nanoseconds(common, "time_to_first_upstream_tx_byte"),
        _nanoseconds(common, "time_to_first_upstream_rx_byte"),
    )
    details = response.response_code_details
    peer = common.downstream_direct_remote_address.socket_address
    return Record(
        # Envoy's own name for a stream is X-Request-Id, which a client may write. Times are exact to the microsecond.
        stream_id=f"{received} {peer.address} {peer.port_value}",
        final=final,
        method=headers.get(":method", ""),
        target=target,
        audit_id=headers.get("audit-id", ""),
        user_agent=request.user_agent,
        forwarded_for=_before_us(request.forwarded_for, peer.address),
        real_ip=headers.get("x-real-ip", ""),
        peer=peer.address,
        statement=statement,
        verdict=verdict,
        received=received,
        responded=received + responded if responded else 0,
        ended=received + _nanoseconds(common, "duration") if final else 0,
        backend_time=answered - sent if answered else 0,
        code=response.response_code.value,
        details="" if details == _FROM_BACKEND else details,
        route=common.route_name,
        cluster=common.upstream_cluster,
        backend=_address(common.upstream_remote_address) if sent else "",
    )


def _statement(metadata: Any) -> tuple[str, str]:  # noqa: ANN401 - a protobuf map
    # Asking a protobuf map for a missing key would make one.
    cached = metadata[VERDICT_METADATA].fields if VERDICT_METADATA in metadata else {}
    if "hit" in cached and cached["hit"].bool_value is True:
        return (cached[AUDIT_FIELD].string_value if AUDIT_FIELD in cached else ""), "hit"
    asked = metadata[AUTHORIZATION_METADATA].fields if AUTHORIZATION_METADATA in metadata else {}
    said = asked[AUDIT_FIELD].string_value if AUDIT_FIELD in asked else ""
    return said, "miss" if "number" in cached else "bypass"


def _before_us(forwarded_for: str, peer: str) -> str:
    """The header as the client sent it: Envoy adds the address it is called from, or one of its own for loopback.

    It adds none to a request that it refuses before.
    """
    before, _, last = forwarded_for.rpartition(",")
    return before if last == peer or peer.startswith(_LOOPBACK) else forwarded_for


def _nanoseconds(common: Any, field: str) -> int:  # noqa: ANN401 - a protobuf class without types
    duration = getattr(common, field)
    return int(duration.seconds * _SECOND + duration.nanos)


def _address(address: Any) -> str:  # noqa: ANN401 - a protobuf class without types
    if address.HasField("pipe"):
        return str(address.pipe.path)
    host = address.socket_address.address
    return (
        f"[{host}]:{address.socket_address.port_value}"
        if ":" in host
        else f"{host}:{address.socket_address.port_value}"
    )
