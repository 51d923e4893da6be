from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controlplane.auth.evidence import NO_CREDENTIALS, Failed, Recognised
from controlplane.auth.metrics import AuthorizationMetrics, kind_of_name
from controlplane.model.identity import UserInfo


def test_metrics_of_kube_apiserver_have_its_names() -> None:
    """To the letter, those without _total too; each request is counted once by its result."""
    registry = CollectorRegistry()
    metrics = AuthorizationMetrics(registry)
    for outcome in (Recognised(UserInfo("alice@example.org")), Failed("expired"), NO_CREDENTIALS, NO_CREDENTIALS):
        metrics.authenticated(outcome, 0.01)
    metrics.authorized("no-opinion", 0.01)

    lines = generate_latest(registry).decode().splitlines()
    expected = {
        'authentication_attempts{result="success"} 1.0',
        'authentication_attempts{result="error"} 1.0',
        'authentication_attempts{result="failure"} 2.0',
        'authenticated_user_requests{username="email_id"} 1.0',
        'authentication_duration_seconds_count{result="failure"} 2.0',
        'authorization_attempts_total{result="no-opinion"} 1.0',
        'authorization_duration_seconds_bucket{le="0.016",result="no-opinion"} 1.0',
        'authorization_duration_seconds_bucket{le="0.008",result="no-opinion"} 0.0',
    }
    assert expected <= set(lines)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("admin", "admin"),
        ("system:serviceaccount:kube-system:default", "system:serviceaccount:kube-system:default"),
        ("oidc:a@b", "email_id"),
        ("alice", "other"),
        ("Admin", "other"),
    ],
)
def test_no_name_of_a_user_is_a_label(name: str, kind: str) -> None:
    """There are seven values, however many users there are."""
    assert kind == kind_of_name(name)
