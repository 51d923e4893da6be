"""Who is asked besides the control plane itself: servers that know tokens, and servers that authorize.

In: the sections `authentication.webhook` and `authorizers`. Out: frozen values. Law: a webhook is described exactly
when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from controlplane.settings.duration import Duration
from controlplane.settings.section import Section

_LONGEST_TIMEOUT: Final = timedelta(seconds=30)


def _timeout(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= _LONGEST_TIMEOUT:
        raise ValueError("is not between 1s and 30s; choose a time within")
    return value


def _audiences(values: Sequence[str]) -> Sequence[str]:
    if "" in values or len(set(values)) != len(values):
        raise ValueError("has an audience that is empty or listed twice; list each once")
    return values


class TokenReviewWebhook(Section):
    """A server that bearer tokens are reviewed by (TokenReview), and how it is reached."""

    kubeconfig: Path
    """Whose current context says where it is, and what it is shown."""
    kubernetes_api: bool = Field(default=False, alias="kubernetesAPI")
    """Whether it is an API server: then the kubeconfig's server is its root, and not the very URL to POST to."""
    version: Literal["v1", "v1beta1"] = "v1"
    """Of authentication.k8s.io."""
    audiences: Annotated[tuple[str, ...], AfterValidator(_audiences)] = ()
    """A token must be for one of them; none: the server's own."""
    cache_ttl: Duration = Field(default=timedelta(seconds=10), alias="cacheTTL")
    """How long a recognised token is not asked about again; zero: it always is."""
    timeout: Annotated[Duration, AfterValidator(_timeout)] = _LONGEST_TIMEOUT
    """For how long an answer is waited for, 1s to 30s; without one the token is not known."""


class AccessReviewWebhook(Section):
    """A server that authorizes (SubjectAccessReview), and how it is reached."""

    kubeconfig: Path
    """Whose current context says where it is, and what it is shown."""
    kubernetes_api: bool = Field(default=False, alias="kubernetesAPI")
    """Whether it is an API server, as for `authentication.webhook`."""
    version: Literal["v1", "v1beta1"] = "v1"
    """Of authorization.k8s.io."""
    authorized_ttl: Duration = Field(default=timedelta(minutes=5), alias="authorizedTTL")
    """How long the same question is not asked again once it was allowed; zero: it always is."""
    unauthorized_ttl: Duration = Field(default=timedelta(seconds=30), alias="unauthorizedTTL")
    """The same once it was not allowed."""
    timeout: Annotated[Duration, AfterValidator(_timeout)] = _LONGEST_TIMEOUT
    """For how long an answer is waited for, 1s to 30s; without one `failurePolicy` holds."""
    failure_policy: Literal["NoOpinion", "Deny"] = "NoOpinion"
    """The verdict when it does not answer."""


class Authorizers(Section):
    """Who authorizes, in which order: by mode, or as an AuthorizationConfiguration lists them."""

    modes: tuple[Literal["RBAC", "Webhook", "AlwaysAllow", "AlwaysDeny"], ...] = ("RBAC",)
    """Who is asked, in this order, until somebody allows or denies."""
    webhook: AccessReviewWebhook | None = None
    configuration_file: Path | None = None
    """An AuthorizationConfiguration (apiserver.config.k8s.io/v1), which takes the place of the other two."""
    default_policy: Literal["basic", "kubernetes"] = "basic"
    """Which of kube-apiserver's default RBAC objects are there: those that discovery needs, or all of them."""

    @model_validator(mode="after")
    def _fits(self) -> Authorizers:
        if self.configuration_file is not None and self.model_fields_set & {"modes", "webhook"}:
            raise ValueError("configurationFile is set beside modes or webhook; keep one way of listing authorizers")
        if not self.modes:
            raise ValueError("modes is empty, so nobody may do anything; list one, such as RBAC")
        if len(set(self.modes)) != len(self.modes):
            raise ValueError("modes lists one mode twice; list each once")
        if ("Webhook" in self.modes) != (self.webhook is not None):
            raise ValueError("Webhook in modes and the section webhook need one another; set both or neither")
        return self
