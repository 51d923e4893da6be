"""Who is believed: front proxies, static tokens, service accounts, issuers of JSON Web Tokens, webhooks, and nobody.

In: the section `authentication`. Out: frozen values. Law: keys are named for every issuer of service accounts, and what
is fetched is fetched over TLS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from controlplane.settings.request_header import RequestHeader
from controlplane.settings.section import Section
from controlplane.settings.webhooks import TokenReviewWebhook

_Text = Annotated[str, Field(min_length=1)]


class ServiceAccounts(Section):
    """Whose service account tokens are believed, by signature and claims alone: --service-account-* of kube-apiserver.

    Nothing is looked up, as kube-apiserver does with --service-account-lookup: whether the service account and the Pod,
    Secret or Node that a token is bound to still exist is not checked, and a token is good until it ends.
    """

    issuers: Annotated[tuple[_Text, ...], Field(min_length=1)]
    """What `iss` may be: kube-apiserver's --service-account-issuer."""
    key_files: tuple[Path, ...] = ()
    """PEM: public keys, certificates or private keys, several in a file: --service-account-key-file.

    What was signed with one of them is believed to its end; to have deleted service accounts, Secrets, Pods and Nodes
    count, use `authentication.webhook` instead.
    """
    jwks_file: Path | None = None
    """A JSON Web Key Set, such as /openid/v1/jwks of the kube-apiserver that signs shows it."""
    jwks_uri: str = Field(default="", alias="jwksURI")
    """Where such a key set is fetched; no credential is shown there, so anonymous requests must be let in."""
    ca_file: Path | None = Field(default=None, alias="caFile")
    """PEM: who may have signed the certificate of `jwksURI`; the system's roots when not set."""
    legacy_tokens: bool = False
    """Whether tokens from Secrets (issuer kubernetes/serviceaccount), which never end, are believed for ever."""

    @field_validator("jwks_uri")
    @classmethod
    def _is_https(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError(f"{value!r} is not https; write https://HOST:PORT/openid/v1/jwks")
        return value

    @model_validator(mode="after")
    def _has_keys(self) -> ServiceAccounts:
        if not self.key_files and self.jwks_file is None and not self.jwks_uri:
            raise ValueError("no key is named; set keyFiles, jwksFile or jwksURI")
        if self.ca_file is not None and not self.jwks_uri:
            raise ValueError("caFile is set, and jwksURI is not; remove caFile, or set jwksURI")
        return self


class Authentication(Section):
    """Who is believed besides holders of a client certificate, in kube-apiserver's order."""

    anonymous: bool = True
    """Whether who shows nothing is system:anonymous; otherwise they are refused with 401."""
    request_header: RequestHeader | None = None
    """Front proxies before this one, who may say who asks; not set: nobody may."""
    token_file: Path | None = None
    """kube-apiserver's --token-auth-file: CSV lines `token,user,uid,"group1,group2"`."""
    service_accounts: ServiceAccounts | None = None
    audiences: tuple[_Text, ...] = ()
    """Of which a service account's token must name one: --api-audiences; none: the issuers of service accounts."""
    configuration_file: Path | None = None
    """kube-apiserver's --authentication-config: an AuthenticationConfiguration."""
    webhook: TokenReviewWebhook | None = None
    """Who is asked about tokens that nobody here knows; not set: nobody."""
