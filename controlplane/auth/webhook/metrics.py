"""What operators see of webhooks: how often they were asked, how they answered and how long it took.

In: a registry. Out: counters and histograms in it, named as kube-apiserver names its own. Law: no label holds anything
a client chose; names of webhooks come from files.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MATCH_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25)


class WebhookMetrics:
    """isthmus_authorization_webhook_*, isthmus_authorization_match_condition_* and isthmus_authentication_*."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_result, by_type = ["name", "result"], ["type", "name"]
        prefix = "isthmus_authorization"
        self.evaluations = Counter(
            f"{prefix}_webhook_evaluations", "Round-trips to authorization webhooks.", by_result, registry=registry
        )
        self.seconds = Histogram(
            f"{prefix}_webhook_duration_seconds", "Time of one.", by_result, buckets=_BUCKETS, registry=registry
        )
        self.fail_open = Counter(
            f"{prefix}_webhook_evaluations_fail_open",
            "Requests that a webhook gave no opinion on because it did not answer.",
            by_result,
            registry=registry,
        )
        self.match_seconds = Histogram(
            f"{prefix}_match_condition_evaluation_seconds",
            "Time to evaluate a webhook's match conditions.",
            by_type,
            buckets=_MATCH_BUCKETS,
            registry=registry,
        )
        self.match_errors = Counter(
            f"{prefix}_match_condition_evaluation_errors",
            "Requests for which a match condition came to nothing.",
            by_type,
            registry=registry,
        )
        self.exclusions = Counter(
            f"{prefix}_match_condition_exclusions",
            "Requests that a match condition kept from a webhook.",
            by_type,
            registry=registry,
        )
        self.token_lookups = Counter(
            "isthmus_authentication_token_cache_request",
            "Tokens looked for among reviewed ones, by status: hit or miss.",
            ["status"],
            registry=registry,
        )
        self.token_reviews = Counter(
            "isthmus_authentication_webhook_request",
            "Round-trips for TokenReviews, by HTTP status code or <error>.",
            ["code"],
            registry=registry,
        )
        self.token_seconds = Histogram(
            "isthmus_authentication_webhook_request_duration_seconds",
            "Time of one.",
            ["code"],
            buckets=_BUCKETS,
            registry=registry,
        )
