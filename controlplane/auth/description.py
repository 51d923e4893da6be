"""Who is believed and who authorizes, as settings and the files they name say it.

In: sections of the settings, and what reads files. Out: a `Description`, or the first thing that is wrong with a file.
Law: what has been described can be brought to life; nothing is asked over the network for it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.auth.authenticate import Anonymous
from controlplane.auth.front_proxy import RequestHeaderTrust
from controlplane.auth.jwt.authenticators import JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.configuration import AuthenticationConfiguration
from controlplane.auth.jwt.decode import decode
from controlplane.auth.jwt.fetch import trust
from controlplane.auth.jwt.keys import read_keys
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens
from controlplane.auth.tokens import TokenTable, load_tokens
from controlplane.auth.webhook.chosen import chain_of, token_reviews_of
from controlplane.auth.webhook.client import tls_context
from controlplane.auth.webhook.described import AccessReviews, Chain, TokenReviews
from controlplane.errors import SettingsError
from controlplane.model.problem import Problem
from controlplane.settings.authentication import Authentication, ServiceAccounts
from controlplane.settings.request_header import RequestHeader
from controlplane.settings.webhooks import Authorizers

Reader = Callable[[Path], bytes]
"""Reads a whole file; OSError when it cannot."""


@dataclass(frozen=True, slots=True)
class Description:
    """What authenticators and authorizers are made of."""

    tokens: TokenTable
    anonymous: Anonymous
    request_header: RequestHeaderTrust | None
    jwt: JwtConfiguration
    reviews: TokenReviews | None
    chain: Chain


def described(
    authentication: Authentication,
    authorizers: Authorizers,
    read: Reader,
    *,
    environment: Mapping[str, str],
    key: bytes,
) -> tuple[Description, tuple[Problem, ...]]:
    """The description, and faults of files that do no harm.

    `environment` says where the kube-apiserver of a pod is; static tokens are hashed under `key` (16 random bytes or
    more).

    Raises:
        SettingsError: when a file cannot be read or used.
    """
    tokens, problems = TokenTable(b"", {}), tuple[Problem, ...]()
    if (path := authentication.token_file) is not None:
        tokens, problems = load_tokens(_text(path, "authentication.tokenFile", read), str(path), key)
    configuration = _configuration(authentication, read)
    description = Description(
        tokens=tokens,
        anonymous=_anonymous(authentication, configuration),
        request_header=_request_header(authentication.request_header),
        jwt=JwtConfiguration(configuration.jwt, _service_accounts(authentication, read)),
        reviews=None if authentication.webhook is None else token_reviews_of(authentication.webhook, read),
        chain=chain_of(authorizers, read, environment),
    )
    _check(description)
    return description, problems


def _configuration(authentication: Authentication, read: Reader) -> AuthenticationConfiguration:
    path, accounts = authentication.configuration_file, authentication.service_accounts
    if path is None:
        return AuthenticationConfiguration()
    text = _text(path, "authentication.configurationFile", read)
    configuration, problems = decode(text, str(path), accounts.issuers if accounts else ())
    if configuration is None:
        raise SettingsError("\n".join(str(problem) for problem in problems))
    return configuration


def _anonymous(authentication: Authentication, configuration: AuthenticationConfiguration) -> Anonymous:
    if configuration.anonymous is None:
        return Anonymous(authentication.anonymous)
    if "anonymous" in authentication.model_fields_set:
        raise SettingsError(
            f"authentication.anonymous is set, and so is anonymous in {authentication.configuration_file}; remove one"
        )
    return Anonymous(configuration.anonymous.enabled, frozenset(configuration.anonymous.paths))


def _request_header(asserted: RequestHeader | None) -> RequestHeaderTrust | None:
    if asserted is None:
        return None
    return RequestHeaderTrust(
        allowed_names=frozenset(asserted.allowed_names),
        username_headers=asserted.username_headers,
        uid_headers=asserted.uid_headers,
        group_headers=asserted.group_headers,
        extra_prefixes=asserted.extra_headers_prefix,
    )


def _service_accounts(authentication: Authentication, read: Reader) -> ServiceAccountTokens | None:
    section: ServiceAccounts | None = authentication.service_accounts
    if section is None:
        return None
    setting = "authentication.serviceAccounts"
    pem = {str(path): _text(path, f"{setting}.keyFiles", read) for path in section.key_files}
    sets = {}
    if section.jwks_file is not None:
        sets[str(section.jwks_file)] = _text(section.jwks_file, f"{setting}.jwksFile", read).encode()
    return ServiceAccountTokens(
        issuers=section.issuers,
        keys=read_keys(pem, sets),
        audiences=authentication.audiences,
        jwks_url=section.jwks_uri,
        certificate_authority=_text(section.ca_file, f"{setting}.caFile", read) if section.ca_file else "",
        legacy=section.legacy_tokens,
    )


def _check(description: Description) -> None:
    """Whether everything that is described can be made."""
    JwtAuthenticators(description.jwt)
    accounts = description.jwt.service_accounts
    authorities = [(each.issuer.url, each.issuer.certificate_authority) for each in description.jwt.issuers]
    if accounts is not None:
        authorities.append(("authentication.serviceAccounts.caFile", accounts.certificate_authority))
    # The system's roots, which are many, need no proof.
    for place, authority in (each for each in authorities if each[1]):
        try:
            trust(authority)
        except ssl.SSLError as error:
            raise SettingsError(
                f"{place}: the certificate authority is no certificate; put PEM certificates there"
            ) from error
    reviews = () if description.reviews is None else (description.reviews.connection,)
    for connection in (*reviews, *(link.connection for link in description.chain if isinstance(link, AccessReviews))):
        tls_context(connection)


def _text(path: Path, setting: str, read: Reader) -> str:
    try:
        return read(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "not there") if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{setting}: {path} cannot be read ({reason}); mend the file or the setting") from error
