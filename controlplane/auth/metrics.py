"""What operators see of authorization: how many requests were decided how, and how long a decision took.

In: a registry. Out: counters and a histogram in it. Law: no label holds anything a client chose.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_ALLOWED: Final = "allowed"
# The name of every refusal, by HTTP status code.
_REFUSALS: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    500: "error",
    503: "unavailable",
}
_BUCKETS: Final = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 10e-3, 100e-3)


class AuthorizationMetrics:
    """isthmus_authorization_decisions_total{result} and isthmus_authorization_seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        decisions = Counter(
            "isthmus_authorization_decisions", "Requests decided, by result.", ["result"], registry=registry
        )
        self._seconds = Histogram(
            "isthmus_authorization_seconds", "Time to decide one request.", buckets=_BUCKETS, registry=registry
        )
        self._allowed = decisions.labels(_ALLOWED)
        self._refused = {code: decisions.labels(result) for code, result in _REFUSALS.items()}

    def allowed(self, seconds: float) -> None:
        """One request was allowed after `seconds`."""
        self._allowed.inc()
        self._seconds.observe(seconds)

    def refused(self, code: int, seconds: float) -> None:
        """One request was refused with the HTTP status `code` after `seconds`."""
        self._refused[code].inc()
        self._seconds.observe(seconds)
