from __future__ import annotations

from prometheus_client import CollectorRegistry

from controlplane.auth.webhook.metrics import WebhookMetrics


def test_metrics_are_named_as_kube_apiserver_names_its_own() -> None:
    """What kube-apiserver counts of webhooks has the same name here, after this program's own."""
    registry = CollectorRegistry()
    WebhookMetrics(registry)

    actual = sorted(metric.name for metric in registry.collect())

    assert [
        "isthmus_authentication_token_cache_request",
        "isthmus_authentication_webhook_request",
        "isthmus_authentication_webhook_request_duration_seconds",
        "isthmus_authorization_match_condition_evaluation_errors",
        "isthmus_authorization_match_condition_evaluation_seconds",
        "isthmus_authorization_match_condition_exclusions",
        "isthmus_authorization_webhook_duration_seconds",
        "isthmus_authorization_webhook_evaluations",
        "isthmus_authorization_webhook_evaluations_fail_open",
    ] == actual
