"""Each stage is told of once, in order, with its own time."""

from __future__ import annotations

import pytest

from controlplane.audit.record import Record
from controlplane.audit.stages import Told, is_long_running, stages_of
from controlplane.model.identity import RequestInfo

END = Record(
    stream_id="s",
    final=True,
    method="GET",
    target="/",
    audit_id="a",
    user_agent="",
    forwarded_for="",
    real_ip="",
    peer="",
    statement="{}",
    verdict="miss",
    received=10,
    responded=20,
    ended=30,
    backend_time=0,
    code=200,
    details="",
    route="",
    cluster="",
    backend="",
)
RUNNING = END._replace(final=False, ended=0)
WAITING = RUNNING._replace(responded=0, code=0)


def test_a_short_request_is_told_of_at_its_end() -> None:
    """Received and complete; its response's beginning is no stage."""
    stages = [("RequestReceived", 10), ("ResponseComplete", 30)]

    assert stages_of(END, Told.NOTHING, long_running=False) == (stages, Told.RECEIVED)


def test_a_long_request_is_told_of_while_it_runs() -> None:
    """Received once authorization has answered, started once the response has, complete at the end."""
    undecided = stages_of(WAITING._replace(statement=""), Told.NOTHING, long_running=True)
    assert undecided == ([], Told.NOTHING)
    assert stages_of(WAITING, Told.NOTHING, long_running=True) == ([("RequestReceived", 10)], Told.RECEIVED)
    assert stages_of(RUNNING, Told.RECEIVED, long_running=True) == ([("ResponseStarted", 20)], Told.STARTED)
    assert stages_of(RUNNING, Told.STARTED, long_running=True) == ([], Told.STARTED)
    assert stages_of(END, Told.STARTED, long_running=True)[0] == [("ResponseComplete", 30)]


def test_a_long_request_that_was_short_has_all_stages() -> None:
    """Also when it ended before any response: as in kube-apiserver, the end is its beginning then."""
    names = ["RequestReceived", "ResponseStarted", "ResponseComplete"]

    answered, _ = stages_of(END, Told.NOTHING, long_running=True)
    cut, _ = stages_of(END._replace(responded=0, code=0), Told.NOTHING, long_running=True)

    assert answered == list(zip(names, (10, 20, 30), strict=True))
    assert cut == list(zip(names, (10, 30, 30), strict=True))


def test_who_is_not_recognised_has_one_stage() -> None:
    """kube-apiserver tells of a 401 at ResponseStarted alone; a backend's own 401 is a response like any other."""
    ours = END._replace(code=401, details="ext_authz_denied")

    assert stages_of(ours, Told.NOTHING, long_running=False)[0] == [("ResponseStarted", 20)]
    assert len(stages_of(END._replace(code=401), Told.NOTHING, long_running=False)[0]) == 2


@pytest.mark.parametrize(
    ("verb", "subresource", "expected"),
    [("watch", "", True), ("proxy", "", True), ("get", "log", True), ("create", "exec", True), ("list", "", False)],
)
def test_long_requests_are_those_of_kube_apiserver(verb: str, subresource: str, expected: bool) -> None:
    """By verb or by subresource."""
    info = RequestInfo(is_resource_request=True, path="/", verb=verb, resource="pods", subresource=subresource)

    assert is_long_running(info) is expected


def test_profiles_take_long_too() -> None:
    """Paths that are no resources are long by their beginning."""
    assert is_long_running(RequestInfo(is_resource_request=False, path="/debug/pprof/profile", verb="get"))
    assert not is_long_running(RequestInfo(is_resource_request=False, path="/version", verb="get"))
