from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.auth.webhook.chosen import chain_of, token_reviews_of
from controlplane.auth.webhook.described import AccessReviews, Local, TokenReviews
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.errors import SettingsError
from controlplane.model.identity import Verdict
from controlplane.settings.webhooks import Authorizers, TokenReviewWebhook

KUBECONFIG = """
current-context: x
contexts: [{name: x, context: {cluster: c}}]
clusters: [{name: c, cluster: {server: "https://a.example.org/x/"}}]
"""
CONFIGURATION = """
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers: [{type: AlwaysDeny, name: alwaysdeny}]
"""
FILES = {"/k": KUBECONFIG.encode(), "/c": CONFIGURATION.encode(), "/binary": b"\xff"}


def read(path: Path) -> bytes:
    """Reads one of the files that there are."""
    try:
        return FILES[str(path)]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory") from None


def test_a_server_of_tokens_is_described() -> None:
    """The kubeconfig's server is the URL to ask, and ten seconds the time a token is kept."""
    section = TokenReviewWebhook.model_validate({"kubeconfig": "/k", "audiences": ["a"], "timeout": "3s"})

    actual = token_reviews_of(section, read)

    assert TokenReviews(Connection("https://a.example.org/x/"), "v1", ("a",), 10.0, 3.0) == actual


def test_an_api_server_is_asked_at_its_api() -> None:
    """With kubernetesAPI the kubeconfig's server is the root that the API's path is below."""
    tokens = TokenReviewWebhook.model_validate({"kubeconfig": "/k", "kubernetesAPI": True, "version": "v1beta1"})
    access = Authorizers.model_validate({"modes": ["Webhook"], "webhook": {"kubeconfig": "/k", "kubernetesAPI": True}})

    (reviews,) = chain_of(access, read, {})

    assert isinstance(reviews, AccessReviews)
    root = "https://a.example.org/x/apis"
    assert f"{root}/authentication.k8s.io/v1beta1/tokenreviews" == token_reviews_of(tokens, read).connection.url
    assert f"{root}/authorization.k8s.io/v1/subjectaccessreviews" == reviews.connection.url


def test_modes_are_a_chain() -> None:
    """Modes become links in their order, and the webhook of the settings has its times."""
    webhook = {"kubeconfig": "/k", "authorizedTTL": "1m", "unauthorizedTTL": "1s", "failurePolicy": "Deny"}
    section = Authorizers.model_validate({"modes": ["RBAC", "Webhook", "AlwaysDeny"], "webhook": webhook})

    actual = chain_of(section, read, {})

    connection = Connection("https://a.example.org/x/")
    reviews = AccessReviews("default", connection, 60.0, 1.0, 30.0, "v1", Verdict.DENY)
    assert (Local.RBAC, reviews, Local.ALWAYS_DENY) == actual


def test_a_webhook_that_does_not_answer_has_no_opinion_by_default() -> None:
    """As kube-apiserver's command line has it."""
    section = Authorizers.model_validate({"modes": ["Webhook"], "webhook": {"kubeconfig": "/k"}})

    (actual,) = chain_of(section, read, {})

    assert isinstance(actual, AccessReviews)
    assert (Verdict.NO_OPINION, 300.0, 30.0) == (actual.failure_policy, actual.authorized_ttl, actual.unauthorized_ttl)


def test_a_configuration_file_is_the_chain() -> None:
    """It takes the place of the modes."""
    actual = chain_of(Authorizers.model_validate({"configurationFile": "/c"}), read, {})

    assert (Local.ALWAYS_DENY,) == actual


@pytest.mark.parametrize(("path", "said"), [("/no", "/no: cannot be read"), ("/binary", "/binary: is not UTF-8")])
def test_a_file_that_cannot_be_read_is_named(path: str, said: str) -> None:
    """The sentence begins with the file."""
    with pytest.raises(SettingsError, match=said):
        token_reviews_of(TokenReviewWebhook.model_validate({"kubeconfig": path}), read)
