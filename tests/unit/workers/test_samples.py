"""What several workers have counted, as one."""

from __future__ import annotations

import json
from functools import partial

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from controlplane.auth.evidence import NO_CREDENTIALS
from controlplane.auth.jwt.metrics import JwtMetrics
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.workers.frames import FrameError
from controlplane.workers.samples import Families, Sums, decoded, encoded


class Worker:
    """A worker's registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests.", ["result"], registry=self.registry)
        self.seconds = Histogram("seconds", "Time.", buckets=(1.0,), registry=self.registry)
        self.kept = Gauge("kept", "Kept.", registry=self.registry)

    def told(self) -> Families:
        """Its metrics as they arrive."""
        return decoded(json.loads(json.dumps(encoded(self.registry))))


def text_of(sums: Sums) -> list[str]:
    """What Prometheus is shown, without comments."""
    registry = CollectorRegistry()
    registry.register(sums)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_metrics_of_workers_are_added_up() -> None:
    """Counters, histograms and gauges of two workers are one family each, as if one process had counted."""
    one, two, alone, sums = Worker(), Worker(), Worker(), Sums()
    for worker in (one, alone):
        worker.requests.labels("allowed").inc(3)
        worker.seconds.observe(0.5)
        worker.kept.inc(2)
    for worker in (two, alone):
        worker.requests.labels("allowed").inc(4)
        worker.requests.labels('odd "label"').inc()
        worker.seconds.observe(2)
        worker.kept.inc(5)

    sums.take(1, one.told())
    sums.take(2, two.told())

    expected = [line for line in generate_latest(alone.registry).decode().splitlines() if not line.startswith("#")]
    assert sorted(line for line in expected if "_created" not in line) == sorted(text_of(sums))


def test_what_was_counted_survives_its_worker() -> None:
    """Counters go on from where the ended worker left them; gauges are those of the living."""
    sums, first = Sums(), Worker()
    first.requests.labels("allowed").inc(10)
    first.kept.set(7)
    sums.take(1, first.told())
    sums.ended(1)
    assert 'requests_total{result="allowed"} 10.0' in text_of(sums)

    second = Worker()
    second.requests.labels("allowed").inc(1)
    second.kept.set(1)
    sums.take(1, second.told())

    assert {'requests_total{result="allowed"} 11.0', "kept 1.0"} <= set(text_of(sums))


def test_the_latest_word_of_a_worker_counts() -> None:
    """What a worker says twice is not added twice."""
    sums, worker = Sums(), Worker()
    for _ in range(3):
        worker.requests.labels("allowed").inc()
        sums.take(1, worker.told())

    assert 'requests_total{result="allowed"} 3.0' in text_of(sums)


def test_of_moments_the_latest_counts_and_counters_without_total_go_on() -> None:
    """To add up timestamps would say nothing; a counter that kube-apiserver has by another name outlives its worker."""
    sums = Sums()
    for worker, moment in ((1, 1000.0), (2, 900.0)):
        registry = CollectorRegistry()
        AuthorizationMetrics(registry).authenticated(NO_CREDENTIALS, 0.0)
        jwt = JwtMetrics(registry, partial(float, moment))
        jwt.follow(["https://issuer.example.org"])
        jwt.fetched("https://issuer.example.org", b"keys")
        sums.take(worker, decoded(json.loads(json.dumps(encoded(registry)))))

    values = dict(line.rsplit(" ", 1) for line in text_of(sums))
    assert values['authentication_attempts{result="failure"}'] == "2.0"
    assert [value for name, value in values.items() if "_last_timestamp_seconds" in name] == ["1000.0"]
    assert [value for name, value in values.items() if "_last_key_set_info" in name] == ["1.0"]

    sums.ended(1)
    values = dict(line.rsplit(" ", 1) for line in text_of(sums))
    assert values['authentication_attempts{result="failure"}'] == "2.0"
    assert [value for name, value in values.items() if "_last_timestamp_seconds" in name] == ["900.0"]


def test_what_is_no_number_is_not_told() -> None:
    """A sum with it would be none for ever."""
    worker = Worker()
    worker.kept.set(float("nan"))
    sums = Sums()
    sums.take(1, worker.told())

    assert not any("nan" in line.lower() for line in text_of(sums))


def test_a_worker_that_never_spoke_leaves_nothing() -> None:
    """Its end changes no sum."""
    sums = Sums()
    sums.ended(1)

    assert text_of(sums) == []


@pytest.mark.parametrize(
    "value",
    [None, 3, ["x"], [["name", "text", "counter", [["n", [], 1]]]], [["a", "b", "c", 4]]]
    + [[["name", "text", "gauge", [["n", {}, odd]]]] for odd in (float("nan"), 1e999, "1", None, 10**400)],
)
def test_metrics_that_are_not_so_made_are_an_error(value: object) -> None:
    """A worker that says such a thing is done with."""
    with pytest.raises(FrameError):
        decoded(value)
