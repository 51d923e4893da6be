"""One audit event as a line of JSON.

In: what is known of a request (`Outline`), the `Record` of it, its bodies, a stage and its time. Out: an Event of
audit.k8s.io/v1 in one line, with its fields in kube-apiserver's order. Law: what is the same for every request of one
kind is worked out once, in the `Outline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

from controlplane.audit.policy import REQUEST_RECEIVED, RESPONSE_COMPLETE, AuditPolicy, Level, Ruling
from controlplane.audit.record import Record
from controlplane.audit.stages import is_long_running
from controlplane.audit.statement import fragment, statement
from controlplane.model.identity import RequestInfo

_SECOND: Final = 1_000_000_000
# Bytes of UTF-8.
_LONGEST_USER_AGENT: Final = 1024
_CUT: Final = "...TRUNCATED"
_OURS: Final = "isthmus.dev/"
# Some programs take these for the end of a line; JSON has them only inside of strings.
_SEPARATORS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


@dataclass(frozen=True, slots=True)
class Bodies:
    """What was sent and what was answered, as JSON texts; "" for nothing."""

    request: str = ""
    response: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """All of an event that follows from method, target and what authorization said."""

    ruling: Ruling
    long_running: bool
    verb: str
    who: dict[str, object]
    what: orjson.Fragment | None
    annotations: dict[str, str]
    status: orjson.Fragment | None


def outline_of(policy: AuditPolicy, info: RequestInfo, said: str) -> Outline:
    """The outline of a request for `info`, of which authorization said `said` (the text that `statement` reads)."""
    known = statement(said)
    return Outline(
        ruling=policy.ruling(known.name, known.groups, info),
        long_running=is_long_running(info),
        verb=info.verb,
        who=known.fields,
        what=_reference(info) if info.is_resource_request else None,
        annotations=known.annotations,
        status=known.status,
    )


def event_line(
    outline: Outline, record: Record, sources: Sequence[str], stage: str, at: int, bodies: Bodies | None = None
) -> bytes:
    """The event of `stage`, reached at `at` (nanoseconds since 1970), with a line feed.

    Without `bodies` it is one of Metadata, whatever the policy says.
    """
    level = Level.METADATA if bodies is None else outline.ruling.level
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level.value,
        "auditID": record.audit_id,
        "stage": stage,
        "requestURI": record.target,
        "verb": outline.verb,
        # Whom the user becomes is found out after the request was received.
        **(outline.who if stage != REQUEST_RECEIVED else {"user": outline.who["user"]}),
        "sourceIPs": sources,
    }
    if record.user_agent:
        event["userAgent"] = _cut(record.user_agent)
    if outline.what is not None:
        event["objectRef"] = outline.what
    if stage != REQUEST_RECEIVED:
        event["responseStatus"] = outline.status or _status(record.code)
        if bodies is not None:
            event |= _told(bodies, outline.ruling)
    event["requestReceivedTimestamp"] = timestamp(record.received)
    event["stageTimestamp"] = timestamp(at)
    if stage != REQUEST_RECEIVED:
        event["annotations"] = outline.annotations | _ours(record, ended=stage == RESPONSE_COMPLETE)
    line = orjson.dumps(event)
    for separator, escape in _SEPARATORS:
        if separator in line:
            line = line.replace(separator, escape)
    # A copy, for the reason that `fragment` has: many lines may have to wait for the disk.
    return line + b"\n"


def timestamp(nanoseconds: int) -> str:
    """A MicroTime as Kubernetes writes it; `nanoseconds` since 1970."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{_to_the_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=64)
def _status(code: int) -> orjson.Fragment:
    if code:
        return fragment({"metadata": {}, "code": code})
    # kube-apiserver calls this a success with the code 200, though nobody was answered.
    return orjson.Fragment(b'{"metadata":{},"status":"Failure","message":"Connection closed early"}')


def _reference(info: RequestInfo) -> orjson.Fragment:
    fields = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.api_group,
        "apiVersion": info.api_version,
        "subresource": info.subresource,
    }
    return fragment({name: value for name, value in fields.items() if value})


def _told(bodies: Bodies, ruling: Ruling) -> dict[str, orjson.Fragment]:
    """What of the bodies the policy wants told; an event without a body is better than none."""
    wanted = {}
    if ruling.level in {Level.REQUEST, Level.REQUEST_RESPONSE}:
        wanted["requestObject"] = bodies.request
    if ruling.level is Level.REQUEST_RESPONSE:
        wanted["responseObject"] = bodies.response
    read = {name: _body(text, ruling) for name, text in wanted.items() if text}
    return {name: body for name, body in read.items() if body is not None}


def _body(text: str, ruling: Ruling) -> orjson.Fragment | None:
    """The body in one line; None for what clients may send and no reader of the log can be expected to take."""
    try:
        body = orjson.loads(text)
        if ruling.omit_managed_fields and isinstance(body, dict) and isinstance(body.get("metadata"), dict):
            body["metadata"].pop("managedFields", None)
        return orjson.Fragment(orjson.dumps(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def _cut(user_agent: str) -> str:
    encoded = user_agent.encode(errors="replace")
    if len(encoded) <= _LONGEST_USER_AGENT:
        return user_agent
    return encoded[:_LONGEST_USER_AGENT].decode(errors="replace") + _CUT


def _ours(record: Record, *, ended: bool) -> dict[str, str]:
    annotations = {}
    if record.verdict:
        annotations[f"{_OURS}verdict"] = record.verdict
    if record.call:
        annotations[f"{_OURS}call"] = record.call
    if record.route:
        annotations[f"{_OURS}route"] = record.route
    if record.cluster:
        annotations[f"{_OURS}cluster"] = record.cluster
    if record.backend:
        annotations[f"{_OURS}backend"] = record.backend
    if record.details:
        annotations[f"{_OURS}details"] = record.details
    if ended:
        annotations[f"{_OURS}latency-total"] = _duration(record.ended - record.received)
        if record.backend_time:
            annotations[f"{_OURS}latency-backend"] = _duration(record.backend_time)
    return annotations


def _duration(nanoseconds: int) -> str:
    return f"{nanoseconds / 1_000_000:.3f}ms"
