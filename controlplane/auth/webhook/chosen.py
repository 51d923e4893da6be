"""What the settings say about webhooks, as descriptions.

In: sections of the settings and what reads the files they name. Out: `TokenReviews`, a `Chain`. Law: a file that cannot
be used is a SettingsError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controlplane.auth.webhook.configuration import read_authorization_configuration
from controlplane.auth.webhook.described import AccessReviews, Chain, Local, TokenReviews, at_api
from controlplane.auth.webhook.kubeconfig import Connection, Reader, read_kubeconfig
from controlplane.auth.webhook.reviews import ACCESS_REVIEWS, TOKEN_REVIEWS
from controlplane.errors import SettingsError
from controlplane.model.identity import Verdict
from controlplane.settings.webhooks import AccessReviewWebhook, Authorizers, TokenReviewWebhook


def token_reviews_of(section: TokenReviewWebhook, read: Reader) -> TokenReviews:
    """The description of the server that reviews tokens; `read` reads the kubeconfig and what it names.

    Raises:
        SettingsError: when the kubeconfig cannot be used.
    """
    connection = _connection(section.kubeconfig, read)
    return TokenReviews(
        connection=at_api(connection, TOKEN_REVIEWS, section.version) if section.kubernetes_api else connection,
        version=section.version,
        audiences=section.audiences,
        cache_ttl=section.cache_ttl.total_seconds(),
        timeout=section.timeout.total_seconds(),
    )


def chain_of(section: Authorizers, read: Reader, environment: Mapping[str, str]) -> Chain:
    """The authorizers in their order; `environment` says where the kube-apiserver of a pod is.

    Raises:
        SettingsError: when a file cannot be used.
    """
    if section.configuration_file is not None:
        text = _text(section.configuration_file, read)
        return read_authorization_configuration(text, section.configuration_file, read, environment)
    links = (
        _access_reviews(section.webhook, read) if mode == "Webhook" and section.webhook else Local(mode)
        for mode in section.modes
    )
    return tuple(links)


def _access_reviews(section: AccessReviewWebhook, read: Reader) -> AccessReviews:
    connection = _connection(section.kubeconfig, read)
    return AccessReviews(
        # As kube-apiserver names the webhook of its command line.
        name="default",
        connection=at_api(connection, ACCESS_REVIEWS, section.version) if section.kubernetes_api else connection,
        authorized_ttl=section.authorized_ttl.total_seconds(),
        unauthorized_ttl=section.unauthorized_ttl.total_seconds(),
        timeout=section.timeout.total_seconds(),
        version=section.version,
        failure_policy=Verdict.DENY if section.failure_policy == "Deny" else Verdict.NO_OPINION,
    )


def _connection(path: Path, read: Reader) -> Connection:
    return read_kubeconfig(_text(path, read), path, read)


def _text(path: Path, read: Reader) -> str:
    try:
        return read(path).decode()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); mend the path or the file") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8; mend the file") from error
