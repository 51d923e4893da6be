"""A call is told of however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from controlplane.api.v1 import config_pb2
from controlplane.configapi.access import Caller
from controlplane.configapi.metrics import CallMetrics
from controlplane.configapi.observing import Observed, Observing
from controlplane.configapi.writing import Refusal
from controlplane.resources.status import Status, not_found

GET, WATCH = "some.Service/Get", "some.Service/Watch"


class Nobody:
    """A session in which nothing is asked."""

    admissions = ()


class Bench:
    """What is told of calls, each of which takes two seconds."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, object]] = []
        self.registry = CollectorRegistry()
        self._time = 0.0
        self.observing = Observing(
            CallMetrics(self.registry), self._record, new_id=lambda: "id", now=self._now, clock=self._clock
        )

    def ended(self, method: str, code: str) -> float | None:
        """How many calls ended so."""
        return self.registry.get_sample_value("isthmus_config_calls_total", {"method": method, "code": code})

    def value(self, name: str, method: str) -> float | None:
        """Another number."""
        return self.registry.get_sample_value(f"isthmus_config_{name}", {"method": method})

    def _record(self, call: Observed) -> None:
        self.told.append((call.responded, call.ended, call.answer))

    def _now(self) -> int:
        self._time += 1
        return int(self._time)

    def _clock(self) -> float:
        return self._time


def answered(bench: Bench, answer: Callable[[], object]) -> None:
    """Does a call."""
    with bench.observing.call(GET, Caller(), Nobody()) as call:
        call.answer = answer()


def test_an_answer_has_its_code() -> None:
    """Of a message, of what refuses a call, and of what refuses one object of it."""
    bench, missing = Bench(), not_found("", "secrets", "s")
    for answer in (config_pb2.Object(), missing, Refusal(Status(403, "Forbidden", "no"), 3)):
        answered(bench, lambda answer=answer: answer)

    assert [1, 1, 1] == [bench.ended("Get", code) for code in ("OK", "NOT_FOUND", "PERMISSION_DENIED")]
    assert [(0, 2, config_pb2.Object()), (0, 4, missing)] == bench.told[:2]
    assert 3 == bench.value("call_seconds_count", "Get")


def test_what_breaks_is_told_of() -> None:
    """As an internal error, without what the exception says."""
    bench = Bench()

    def broken() -> object:
        raise RuntimeError("swordfish")

    with pytest.raises(RuntimeError):
        answered(bench, broken)

    ((_, _, answer),) = bench.told
    assert isinstance(answer, Status)
    assert (500, "InternalError") == (answer.code, answer.reason)
    assert "swordfish" not in answer.message
    assert 1 == bench.ended("Get", "UNKNOWN")


def test_a_client_that_goes_away_has_no_answer() -> None:
    """It is counted as gRPC would say it."""
    bench = Bench()

    def cancelled() -> object:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        answered(bench, cancelled)

    assert [(0, 2, None)] == bench.told
    assert 1 == bench.ended("Get", "CANCELLED")


def test_a_stream_is_told_of_when_it_begins_and_when_it_ends() -> None:
    """However many answers it has; meanwhile it counts as open, and is in no histogram."""
    bench = Bench()
    with bench.observing.stream(WATCH, Caller(), Nobody()) as call:
        bench.observing.answering(call)
        bench.observing.answering(call)
        meanwhile = bench.value("streams", "Watch")

    assert [(2, 0, None), (2, 3, None)] == bench.told
    assert (1, 0, 1) == (meanwhile, bench.value("streams", "Watch"), bench.ended("Watch", "OK"))
    assert bench.value("call_seconds_count", "Watch") is None
