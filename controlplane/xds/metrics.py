"""What the xDS faces count.

In: a Prometheus registry. Out: metrics registered there. Law: labels are protocol variants and names of Envoy's types,
both few; what a client calls a type is none.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controlplane.xds.order import UPSERT_ORDER


class XdsMetrics:
    """The metrics of all xDS streams of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams = Gauge("isthmus_xds_streams", "Open xDS streams.", ["protocol"], registry=registry)
        self.pushes = Counter("isthmus_xds_pushes", "xDS responses written.", ["type"], registry=registry)
        self.resources = Counter("isthmus_xds_resources", "xDS resources written.", ["type"], registry=registry)
        self.bytes = Counter("isthmus_xds_bytes", "Bytes of xDS responses written.", ["type"], registry=registry)
        self.nacks = Counter("isthmus_xds_nacks", "xDS responses rejected by Envoy.", ["type"], registry=registry)
        self.rejections = Counter(
            "isthmus_xds_rejections", "xDS resources found guilty of a rejection.", ["type"], registry=registry
        )
        self.write_timeouts = Counter(
            "isthmus_xds_write_timeouts", "xDS streams cut because the client did not read.", registry=registry
        )
        self.withholding = Gauge(
            "isthmus_xds_withholding_streams",
            "xDS streams that withhold removals until somebody confirms them.",
            registry=registry,
        )
        self.convergence = Histogram(
            "isthmus_xds_convergence_seconds",
            "Time from a change to a stream's last acknowledgement of it.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._written: dict[str, tuple[Counter, Counter, Counter]] = {}

    def written(self, type_url: str, resources: int, size: int) -> None:
        """Counts a response; a thousand streams write one each at a change, so its counters are looked up once."""
        counters = self._written.get(type_url)
        if counters is None:
            kind = label(type_url)
            counters = self.pushes.labels(kind), self.resources.labels(kind), self.bytes.labels(kind)
            self._written[type_url] = counters
        for counter, amount in zip(counters, (1, resources, size), strict=True):
            counter.inc(amount)


def label(type_url: str) -> str:
    """What a type is called in metrics: the last word of one of Envoy's, "other" for all else."""
    return short(type_url) if type_url in UPSERT_ORDER else "other"


def short(type_url: str) -> str:
    """The last word of a type URL, such as "Cluster"."""
    return type_url.rpartition(".")[2]
