"""What workers have counted, as one.

In: the metrics of each worker's registry, from time to time. Out: the same families in the control plane's registry,
summed over all workers; of moments the latest. Law: what is counted never goes back, also when a worker ends and
another takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from operator import add
from typing import Any, Final, TypeAlias

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from controlplane.workers.frames import FrameError

# Of no type that is known are counters whose name does not end in _total, as kube-apiserver has two.
_COUNTED: Final = frozenset({"counter", "histogram", "summary", "unknown"})
# To add up moments, or that something is so, would say nothing.
_LATEST: Final = ("_timestamp_seconds", "_info")

Series: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""The name and labels of a sample."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of one worker; `kind` is Prometheus' type."""

    text: str
    kind: str
    samples: Mapping[Series, float] = field(default_factory=dict)


Families: TypeAlias = Mapping[str, Family]
"""Metrics by name."""


def encoded(registry: CollectorRegistry) -> list[object]:
    """Everything in a registry, for a message."""
    return [
        [
            family.name,
            family.documentation,
            family.type,
            # When a counter began says nothing once it is added to others.
            [[each.name, each.labels, each.value] for each in family.samples if _told(each.name, each.value)],
        ]
        for family in registry.collect()
    ]


def decoded(value: Any) -> Families:  # noqa: ANN401 - JSON of unknown shape
    """The metrics of `encoded`.

    Raises:
        FrameError: when it is not so made.
    """
    try:
        return {
            str(name): Family(str(text), str(kind), {_series(each, labels): _value(v) for each, labels, v in samples})
            for name, text, kind, samples in value
        }
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise FrameError("metrics are not so made") from None


class Sums(Collector):
    """The metrics of all workers; `take` and `ended` keep them up to date."""

    def __init__(self) -> None:
        self._latest: dict[int, Families] = {}
        self._ended: Families = {}

    def take(self, worker: int, families: Families) -> None:
        """What a worker's registry holds now."""
        self._latest[worker] = families

    def ended(self, worker: int) -> None:
        """What a worker has counted stays; what it held (gauges) is gone with it."""
        families = self._latest.pop(worker, {})
        counted = {name: family for name, family in families.items() if family.kind in _COUNTED}
        self._ended = _summed((self._ended, counted))

    def collect(self) -> Iterable[Metric]:
        """The sums, as a registry asks for them."""
        for name, family in sorted(_summed((self._ended, *self._latest.values())).items()):
            metric = Metric(name, family.text, family.kind)
            for (sample, labels), value in family.samples.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _summed(several: Iterable[Families]) -> Families:
    sums: dict[str, Family] = {}
    for families in several:
        for name, family in families.items():
            before = sums.get(name, Family(family.text, family.kind)).samples
            merged = max if name.endswith(_LATEST) else add
            added = {series: merged(before.get(series, 0.0), value) for series, value in family.samples.items()}
            sums[name] = Family(family.text, family.kind, {**before, **added})
    return sums


def _told(name: str, value: float) -> bool:
    # What is no number would be in the sum for ever.
    return isfinite(value) and not name.endswith("_created")


def _value(value: object) -> float:
    if not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _series(name: str, labels: Mapping[str, str]) -> Series:
    return str(name), tuple((str(key), str(value)) for key, value in labels.items())
