"""What operators see of requests: how many were recognised and allowed, and how long that took.

In: a registry. Out: counters and histograms in it, those that kube-apiserver has too under its names. Law: no label
holds anything a client chose.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.registry import Collector

from controlplane.auth.evidence import NO_CREDENTIALS, Failed, Recognised

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
_UPSTREAM_BUCKETS: Final = tuple(0.001 * 2**power for power in range(15))
# The names that kube-apiserver tells, however many users there are.
_TOLD: Final = frozenset({"admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"})


class AuthorizationMetrics:
    """isthmus_authorization_*, authentication_*, authenticated_user_requests and authorization_*."""

    def __init__(self, registry: CollectorRegistry) -> None:
        decisions = Counter(
            "isthmus_authorization_decisions", "Requests decided, by result.", ["result"], registry=registry
        )
        self._seconds = Histogram(
            "isthmus_authorization_seconds", "Time to decide one request.", buckets=_BUCKETS, registry=registry
        )
        self._allowed = decisions.labels(_ALLOWED)
        self._refused = {code: decisions.labels(result) for code, result in _REFUSALS.items()}
        self._users = _Tally(
            "authenticated_user_requests", "Requests of recognised users, by the kind of name.", "username", registry
        )
        self._attempts = _Tally("authentication_attempts", "Requests authenticated, by result.", "result", registry)
        authentication_seconds = Histogram(
            "authentication_duration_seconds",
            "Time to authenticate one request.",
            ["result"],
            buckets=_UPSTREAM_BUCKETS,
            registry=registry,
        )
        authorizations = Counter(
            "authorization_attempts", "Requests authorized, by result.", ["result"], registry=registry
        )
        authorization_seconds = Histogram(
            "authorization_duration_seconds",
            "Time to authorize one request.",
            ["result"],
            buckets=_UPSTREAM_BUCKETS,
            registry=registry,
        )
        # Finding a series by its label costs more than counting in it; there is one for each of a few results.
        self._authentication_seconds = cache(authentication_seconds.labels)
        self._authorizations = cache(authorizations.labels)
        self._authorization_seconds = cache(authorization_seconds.labels)

    def allowed(self, seconds: float) -> None:
        """One request was allowed after `seconds`."""
        self._allowed.inc()
        self._seconds.observe(seconds)

    def refused(self, code: int, seconds: float) -> None:
        """One request was refused with the HTTP status `code` after `seconds`."""
        self._refused[code].inc()
        self._seconds.observe(seconds)

    def authenticated(self, outcome: Recognised | Failed, seconds: float) -> None:
        """Who asks was found out, or not, within `seconds`."""
        if isinstance(outcome, Recognised):
            result = "success"
            self._users.add(kind_of_name(outcome.user.name))
        else:
            # To kube-apiserver what was shown and does not hold is an error.
            result = "failure" if outcome == NO_CREDENTIALS else "error"
        self._attempts.add(result)
        self._authentication_seconds(result).observe(seconds)

    def authorized(self, result: str, seconds: float) -> None:
        """Whether a request is allowed was found out within `seconds`: allowed, denied, no-opinion, or error."""
        self._authorizations(result).inc()
        self._authorization_seconds(result).observe(seconds)


def kind_of_name(name: str) -> str:
    """What kube-apiserver tells of a user's name: a few names to the letter, email_id where it has an @, or other."""
    if name in _TOLD:
        return name
    return "email_id" if "@" in name else "other"


class _Tally(Collector):
    """A counter by one label whose name does not end in _total, which the library's own counters cannot have."""

    def __init__(self, name: str, text: str, label: str, registry: CollectorRegistry) -> None:
        self._name, self._text, self._label = name, text, label
        self._counts: dict[str, int] = {}
        registry.register(self)

    def add(self, value: str) -> None:
        """Counts one more of a label's value."""
        self._counts[value] = self._counts.get(value, 0) + 1

    def collect(self) -> Iterable[Metric]:
        """The counts, as a registry asks for them; "unknown" is the one type that leaves the name as it is."""
        metric = Metric(self._name, self._text, "unknown")
        # A copy, since /metrics may be made in another thread.
        for value, count in tuple(self._counts.items()):
            metric.add_sample(self._name, {self._label: value}, count)
        yield metric
