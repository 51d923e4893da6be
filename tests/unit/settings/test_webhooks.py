from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from controlplane.settings.section import anchored
from controlplane.settings.webhooks import AccessReviewWebhook, Authorizers, TokenReviewWebhook


def test_rbac_alone_authorizes_by_default() -> None:
    """Without a word in the settings nobody else is asked."""
    actual = Authorizers()

    assert (("RBAC",), None, None) == (actual.modes, actual.webhook, actual.configuration_file)


def test_settings_are_written_as_kubernetes_writes_them() -> None:
    """Names end in TTL and API in capitals."""
    written = {"kubeconfig": "k", "kubernetesAPI": True, "authorizedTTL": "1m", "unauthorizedTTL": "0s"}

    access = AccessReviewWebhook.model_validate(written)
    tokens = TokenReviewWebhook.model_validate({"kubeconfig": "k", "cacheTTL": "5s"})

    assert (timedelta(minutes=1), timedelta(0)) == (access.authorized_ttl, access.unauthorized_ttl)
    assert timedelta(seconds=5) == tokens.cache_ttl


def test_paths_are_taken_from_the_settings_folder() -> None:
    """A relative kubeconfig is relative to the file that names it."""
    section = Authorizers.model_validate({"modes": ["Webhook"], "webhook": {"kubeconfig": "k"}})

    actual = anchored(section, Path("/etc"))

    assert actual.webhook is not None
    assert Path("/etc/k") == actual.webhook.kubeconfig


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"modes": []}, "modes is empty"),
        ({"modes": ["RBAC", "RBAC"]}, "modes lists one mode twice"),
        ({"modes": ["Node"]}, "Input should be"),
        ({"modes": ["Webhook"]}, "Webhook in modes and the section webhook need one another"),
        ({"webhook": {"kubeconfig": "k"}}, "Webhook in modes and the section webhook need one another"),
        ({"configurationFile": "c", "modes": ["RBAC"]}, "configurationFile is set beside modes or webhook"),
        ({"modes": ["Webhook"], "webhook": {"kubeconfig": "k", "timeout": "31s"}}, "is not between 1s and 30s"),
        ({"modes": ["Webhook"], "webhook": {"kubeconfig": "k", "timeout": "0s"}}, "is not between 1s and 30s"),
    ],
)
def test_settings_that_do_not_fit_are_refused(written: dict[str, object], said: str) -> None:
    """What cannot be meant is said before anybody is asked."""
    with pytest.raises(ValidationError, match=said):
        Authorizers.model_validate(written)


@pytest.mark.parametrize("audiences", [[""], ["a", "a"]])
def test_audiences_are_distinct_texts(audiences: list[str]) -> None:
    """An empty audience and one listed twice are refused."""
    with pytest.raises(ValidationError, match="empty or listed twice"):
        TokenReviewWebhook.model_validate({"kubeconfig": "k", "audiences": audiences})
