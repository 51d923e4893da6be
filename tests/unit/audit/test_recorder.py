"""From Envoy's messages to lines, one record at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from envoy.service.accesslog.v3 import als_pb2
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.audit.event import Bodies
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.policy import AuditPolicy, Level, Rule
from controlplane.audit.record import Record, record_of
from controlplane.audit.recorder import Recorder
from controlplane.model.identity import RequestInfo

ALL = AuditPolicy((Rule(Level.METADATA),), frozenset({"RequestReceived"}))
SAID = orjson.dumps(
    {
        "user": {"username": "alice", "groups": ["devs"]},
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }
).decode()


def read(method: str, target: str) -> RequestInfo:
    """A watch, or the path as it is."""
    watch = "watch" in target
    return RequestInfo(is_resource_request=watch, path=target, verb="watch" if watch else method.lower(), resource="r")


class Bench:
    """A recorder, and the events that came out of it."""

    def __init__(self, policy: AuditPolicy = ALL) -> None:
        self.lines: list[bytes] = []
        self.registry = CollectorRegistry()
        self.policy = Watchable(policy)
        self._recorder = Recorder(self.policy, read, self._put, AuditMetrics(self.registry), lambda: "made")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines as they are read."""
        return [orjson.loads(line) for line in self.lines]

    def tell(self, *entries: Any) -> None:  # noqa: ANN401 - protobuf classes without types
        """Gives it one message."""
        message = als_pb2.StreamAccessLogsMessage()
        message.http_logs.log_entry.extend(entries)
        self.take(message.SerializeToString())

    def take(self, message: bytes) -> None:
        """Gives it bytes."""
        self._recorder.take(message)

    def call(self, record: Record, bodies: Bodies | None) -> None:
        """Gives it a record that is not Envoy's."""
        self._recorder.tell(record, bodies)

    def lost(self, reason: str) -> float | None:
        """How many events were lost for that reason."""
        return self.registry.get_sample_value("isthmus_audit_lost_total", {"reason": reason})

    def _put(self, lines: list[bytes]) -> None:
        assert all(line.endswith(b"\n") for line in lines)
        self.lines += lines


def _resident() -> int:
    """The memory of this process in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


def entry(target: str = "/a", *, kind: int = 6, said: str = SAID, code: int = 200, **namespaces: Any) -> Any:  # noqa: ANN401
    """An access log entry as Envoy writes it."""
    made = als_pb2.StreamAccessLogsMessage().http_logs.log_entry.add()
    common = made.common_properties
    common.access_log_type = kind
    common.start_time.seconds, common.start_time.nanos = 1_700_000_000, 1_234_999
    common.time_to_first_downstream_tx_byte.nanos = 1_000_000
    common.duration.seconds = 2
    common.downstream_direct_remote_address.socket_address.address = "10.0.0.1"
    common.downstream_direct_remote_address.socket_address.port_value = 4711
    if said:
        common.metadata.filter_metadata["envoy.filters.http.ext_authz"].update({"audit": said})
    for name, fields in namespaces.items():
        common.metadata.filter_metadata[name.replace("_", ".")].update(fields)
    made.request.path, made.request.forwarded_for = target, "192.0.2.1,10.0.0.1"
    made.request.request_headers[":method"] = "GET"
    made.response.response_code.value, made.response.response_code_details = code, "via_upstream"
    return made


def test_a_record_becomes_an_event_in_the_order_of_kube_apiserver() -> None:
    """Every field, times in microseconds, the user as authorization said it."""
    bench = Bench()
    bench.tell(entry())

    (event,) = bench.events
    assert list(event) == [
        "kind",
        "apiVersion",
        "level",
        "auditID",
        "stage",
        "requestURI",
        "verb",
        "user",
        "sourceIPs",
        "responseStatus",
        "requestReceivedTimestamp",
        "stageTimestamp",
        "annotations",
    ]
    assert event["requestReceivedTimestamp"] == "2023-11-14T22:13:20.001234Z"
    assert event["stageTimestamp"] == "2023-11-14T22:13:22.001234Z"
    assert event["sourceIPs"] == ["192.0.2.1", "10.0.0.1"]
    assert event["user"] == {"username": "alice", "groups": ["devs"]}
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "allow",
        "isthmus.dev/verdict": "bypass",
        "isthmus.dev/latency-total": "2000.000ms",
    }


def test_a_known_verdict_speaks_for_itself() -> None:
    """On a hit it is the cache that says who; else authorization, even where both do."""
    bench = Bench()
    bob = orjson.dumps({"user": {"username": "bob"}}).decode()
    bench.tell(entry(said="", isthmus_verdict={"hit": True, "audit": bob}))
    bench.tell(entry(isthmus_verdict={"number": 7, "audit": bob}))

    told = [(event["user"]["username"], event["annotations"]["isthmus.dev/verdict"]) for event in bench.events]
    assert told == [("bob", "hit"), ("alice", "miss")]


def test_nobody_is_a_user_without_a_name() -> None:
    """Without a word of authorization, and with one that cannot be read, the user is empty."""
    bench = Bench()
    for said in ("", "nonsense", "[]", '{"user": 3}'):
        bench.tell(entry(said=said))

    assert [event["user"] for event in bench.events] == 4 * [{}]


def test_a_running_watch_is_told_of_once() -> None:
    """However often Envoy speaks of it, and its end is told of at its end."""
    bench = Bench()
    for kind in (5, 5, 5, 6):
        bench.tell(entry("/r?watch=1", kind=kind))

    assert [event["stage"] for event in bench.events] == ["ResponseStarted", "ResponseComplete"]


def test_requests_at_one_time_are_told_apart() -> None:
    """By when and on which connection they came, and not by X-Request-Id: Envoy makes none, and clients write any."""
    bench = Bench()
    requests = [entry("/r?watch=1", kind=5) for _ in range(3)]
    requests[1].common_properties.start_time.nanos += 1
    requests[2].common_properties.downstream_direct_remote_address.socket_address.port_value += 1
    for each in requests:
        each.common_properties.stream_id = "of-a-client"
    bench.tell(*requests, *requests)

    assert ["ResponseStarted"] * 3 == [event["stage"] for event in bench.events]


def test_what_envoy_adds_to_the_way_is_not_told() -> None:
    """The address it was called from, which comes last anyway, or its own where that is loopback."""
    bench = Bench()
    for peer, forwarded in (("10.0.0.1", "10.0.0.1"), ("127.0.0.1", "192.0.2.1,192.0.2.9"), ("::1", "192.0.2.9")):
        told = entry()
        told.common_properties.downstream_direct_remote_address.socket_address.address = peer
        told.request.forwarded_for = forwarded
        bench.tell(told)

    assert [["10.0.0.1"], ["192.0.2.1", "127.0.0.1"], ["::1"]] == [event["sourceIPs"] for event in bench.events]


def test_another_policy_counts_at_once() -> None:
    """From the next message on, for paths that were seen before too."""
    bench = Bench()
    bench.tell(entry())
    bench.policy.publish(AuditPolicy((Rule(Level.NONE),)))
    bench.tell(entry())

    assert len(bench.events) == 1


def test_what_never_was_a_request_is_no_event() -> None:
    """Envoy has a record of bytes that are no HTTP; kube-apiserver has none."""
    bench = Bench()
    bench.tell(entry(""))

    assert bench.events == []
    assert bench.lost("error") == 0


def test_a_request_without_a_name_is_given_one() -> None:
    """What Envoy refuses before it gives requests their Audit-ID has a new one; addresses are the client's own then."""
    bench = Bench()
    refused = entry(said="", code=400)
    refused.request.forwarded_for = "192.0.2.1"
    bench.tell(refused)

    assert (bench.events[0]["auditID"], bench.events[0]["sourceIPs"]) == ("made", ["192.0.2.1", "10.0.0.1"])


def test_one_bad_record_harms_no_other() -> None:
    """It is counted, as is a message that cannot be read."""
    bench = Bench()
    bad = orjson.dumps({"user": {"username": "eve", "groups": 3}}).decode()
    bench.tell(entry(said=bad), entry("/good"))
    bench.take(b"\xff\xff")

    assert [event["requestURI"] for event in bench.events] == ["/good"]
    assert bench.lost("error") == 2
    assert bench.registry.get_sample_value("isthmus_audit_records_total") == 2


def test_a_response_that_never_was_has_no_code() -> None:
    """The client went away first; a long name of it is cut where kube-apiserver cuts it."""
    bench = Bench()
    gone = entry(code=0)
    gone.request.user_agent = 1100 * "x"
    bench.tell(gone)

    assert bench.events[0]["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": "Connection closed early",
    }
    assert bench.events[0]["userAgent"] == f"{1024 * 'x'}...TRUNCATED"


def test_a_name_of_a_client_is_cut_by_its_bytes() -> None:
    """As kube-apiserver cuts it, be it within a character."""
    bench = Bench()
    named = entry()
    named.request.user_agent = f"{1023 * 'x'}\u00e9y"
    bench.tell(named)

    assert f"{1023 * 'x'}\ufffd...TRUNCATED" == bench.events[0]["userAgent"]


def test_whom_a_user_becomes_is_not_known_when_the_request_is_received() -> None:
    """RequestReceived has the user alone, as in kube-apiserver; the later stages have both."""
    bench = Bench(AuditPolicy((Rule(Level.METADATA),)))
    became = {"username": "bob"}
    said = {"user": {"username": "alice"}, "impersonatedUser": became, "authenticationMetadata": {"a": "b"}}
    bench.tell(entry(said=orjson.dumps(said).decode()))

    received, complete = bench.events
    assert (None, None) == (received.get("impersonatedUser"), received.get("authenticationMetadata"))
    assert ({"username": "alice"}, became) == (received["user"], complete["impersonatedUser"])
    assert {"a": "b"} == complete["authenticationMetadata"]


def test_a_line_is_a_line_to_everybody() -> None:
    """What some programs take for the end of a line is escaped, as kube-apiserver does."""
    bench = Bench()
    odd = entry()
    odd.request.user_agent = "a\u2028b\u2029c\u0085"
    bench.tell(odd)

    assert b'"userAgent":"a\\u2028b\\u2029c\xc2\x85"' in bench.lines[0]
    assert "a\u2028b\u2029c\u0085" == bench.events[0]["userAgent"]


def test_lines_that_wait_hold_little_more_than_their_bytes() -> None:
    """A slow disk leaves 64 MiB of them in memory, which must not be ten times as much."""
    bench = Bench()
    message = als_pb2.StreamAccessLogsMessage()
    message.http_logs.log_entry.append(entry())
    content = message.SerializeToString()
    bench.take(content)

    before = _resident()
    for _ in range(10_000):
        bench.take(content)

    held = sum(map(len, bench.lines))
    # Beside the bytes there are Python's own for each object, and what the events are parsed into is not held here.
    assert (_resident() - before) * 1024 < 3 * held


def test_what_comes_another_way_is_told_by_the_same_policy() -> None:
    """With the level that the policy wants, and as Metadata where there is no body to tell."""
    bench = Bench(AuditPolicy((Rule(Level.REQUEST_RESPONSE),), frozenset({"RequestReceived"})))
    record = record_of(entry())
    assert record is not None
    bench.call(record._replace(call="s/Apply", verdict=""), Bodies('{"a":\n1}', '{"b":2}'))
    bench.call(record, None)

    first, second = bench.events
    assert ("RequestResponse", {"a": 1}, {"b": 2}) == (first["level"], first["requestObject"], first["responseObject"])
    assert list(first).index("responseStatus") + 1 == list(first).index("requestObject")
    assert ("s/Apply", None) == tuple(first["annotations"].get(f"isthmus.dev/{name}") for name in ("call", "verdict"))
    assert ("Metadata", False) == (second["level"], "requestObject" in second)
    assert bench.registry.get_sample_value("isthmus_audit_records_total") == 0
