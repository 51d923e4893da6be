"""What the audit log is told of calls: from where, and of those that were not answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from config_audit import AuditLog

from controlplane.api.v1 import config_pb2
from controlplane.audit.policy import AuditPolicy, Level, Rule
from controlplane.configapi.access import Admission, Caller
from controlplane.configapi.observing import Observed
from controlplane.model.identity import Account, Decision, UserInfo, Verdict
from controlplane.recording import Recording
from controlplane.resources.status import Status

ALICE = UserInfo("alice")
ALLOWED = Decision(user=ALICE, account=Account(ALICE, opinion=Verdict.ALLOW, reason="because"))
TARGET = "/apis/rbac.authorization.k8s.io/v1/clusterroles/a"


class Session:
    """One in which this was decided."""

    def __init__(self, *admissions: Admission) -> None:
        self.admissions = admissions


def call(caller: Caller = Caller(), **more: Any) -> Observed:  # noqa: ANN401, B008 - any field; frozen
    """A read of a role, which nobody answered."""
    return replace(
        Observed(
            id="id",
            method="s/Get",
            caller=caller,
            session=Session(Admission("GET", TARGET, ALLOWED)),
            received=1_000_000_000,
            ended=2_000_000_000,
        ),
        **more,
    )


def told(*calls: Observed) -> list[dict[str, Any]]:
    """The events."""
    log = AuditLog()
    log.policy.publish(AuditPolicy((Rule(Level.REQUEST_RESPONSE),), frozenset({"RequestReceived"})))
    recording = Recording(log.recorder)
    for each in calls:
        recording(each)
    return log.events


@pytest.mark.parametrize(
    ("peer", "sources"),
    [
        ("ipv4:192.0.2.1:4711", ["192.0.2.1"]),
        ("ipv6:[2001:db8::1]:4711", ["2001:db8::1"]),
        ("ipv6:%5B2001:db8::1%5D:4711", ["2001:db8::1"]),
        ("unix:", []),
    ],
)
def test_the_source_is_the_peer(peer: str, sources: list[str]) -> None:
    """What a client says of where it comes from counts for nothing."""
    (event,) = told(call(Caller(peer, metadata=(("x-forwarded-for", "192.0.2.9"),))))

    assert sources == event["sourceIPs"]


def test_a_call_that_nobody_was_left_to_hear_the_answer_of_has_no_code() -> None:
    """As kube-apiserver's connection that was closed early; a stream that had begun keeps the code it began with."""
    gone, stream = told(call(), call(responded=1_500_000_000))

    assert {"metadata": {}, "status": "Failure", "message": "Connection closed early"} == gone["responseStatus"]
    assert {"metadata": {}, "code": 200} == stream["responseStatus"]


def test_a_name_that_is_too_long_is_not_taken_over() -> None:
    """The client's Audit-ID counts up to 128 characters."""
    names = [told(call(Caller(metadata=(("audit-id", name),))))[0]["auditID"] for name in ("", "x" * 128, "x" * 129)]

    assert ["id", "x" * 128, "id"] == names


def test_who_became_whom_is_told() -> None:
    """The user who was recognised, and the one that the call was made as."""
    became = replace(ALLOWED, user=UserInfo("bob"), account=replace(ALLOWED.account, impersonated=UserInfo("bob")))
    (event,) = told(call(session=Session(Admission("GET", TARGET, became))))

    assert [{"username": "alice"}, {"username": "bob"}] == [event["user"], event["impersonatedUser"]]


@pytest.mark.parametrize("body", ["{", '{"x": NaN}', '{"x":' * 300 + "1" + "}" * 300])
def test_no_body_keeps_an_event_from_being_told(body: str) -> None:
    """What is no JSON, or too deep, is left out of it; nobody hides behind what cannot be written."""
    (event,) = told(call(request=config_pb2.ApplyRequest(json=body), answer=Status(400, "BadRequest", "no")))

    assert "requestObject" not in event
    assert 400 == event["responseStatus"]["code"]
