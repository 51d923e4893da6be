"""What operators see of the config API: how many calls there were, how they ended, and how long they took.

In: a registry. Out: metrics in it. Law: labels are methods and status codes; none holds anything a client chose.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# From a read of the store to a write that waits for every proxy.
_BUCKETS: Final = (1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class CallMetrics:
    """isthmus_config_calls_total{method,code}, isthmus_config_call_seconds{method} and isthmus_config_streams{method}.

    A stream is counted when it ends, and is in no histogram.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "isthmus_config_calls",
            "Calls of the config API, by gRPC status code.",
            ["method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "isthmus_config_call_seconds",
            "Time to answer one call of the config API, waiting for proxies included.",
            ["method"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._streams = Gauge(
            "isthmus_config_streams", "Open watches of the config API.", ["method"], registry=registry
        )

    def answered(self, method: str, code: str, seconds: float) -> None:
        """A call was answered, or given up by its client."""
        self._calls.labels(method, code).inc()
        self._seconds.labels(method).observe(seconds)

    def opened(self, method: str) -> None:
        """A stream has begun."""
        self._streams.labels(method).inc()

    def closed(self, method: str, code: str) -> None:
        """A stream has ended."""
        self._streams.labels(method).dec()
        self._calls.labels(method, code).inc()
