"""The audit log: one JSON line for each request, so that it can be seen who the server thought was calling.

In go the facts of a request; out comes an `audit.k8s.io/v1` Event at level Metadata.
The law: a line is written for every request, refused ones included. A watch has two: ResponseStarted when its headers
have gone out, ResponseComplete when it ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from servicecatalog.identity import User
from servicecatalog.schemas import JsonObject

AuditSink = Callable[[JsonObject], None]


class Stage(Enum):
    """When an event is written."""

    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known about a request; `user` is None when nobody was accepted, `target` when it is not about objects."""

    audit_id: str
    received: datetime
    verb: str
    uri: str
    user_agent: str
    source: str
    user: User | None = None
    target: tuple[tuple[str, str], ...] = ()

    def of(self, user: User) -> "Record":
        """The same record, of an authenticated caller."""
        return replace(self, user=user)


def audit_event(record: Record, stage: Stage, code: int, now: datetime) -> JsonObject:
    """The event as one JSON object; `code` is the HTTP status."""
    event: JsonObject = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata"}
    event |= {"auditID": record.audit_id, "stage": stage.value, "requestURI": record.uri, "verb": record.verb}
    event |= {"user": record.user.body() if record.user else {}, "sourceIPs": [record.source]}
    event |= {"userAgent": record.user_agent, "responseStatus": {"metadata": {}, "code": code}}
    if record.target:
        event["objectRef"] = dict(record.target)
    event |= {"requestReceivedTimestamp": _micro(record.received), "stageTimestamp": _micro(now)}
    return event


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
