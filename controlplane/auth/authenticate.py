"""Who asks: front proxy, certificate, bearer token, WebSocket token or anonymous, tried as kube-apiserver tries them.

In: the evidence a request shows. Out: a user, or why there is none.
Law: evidence that was shown and does not hold is never answered with the anonymous user.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf
from typing import Final, TypeAlias

from controlplane.auth.certificate import read_certificate
from controlplane.auth.chain import Verifier, verifier
from controlplane.auth.escapes import unescaped_text
from controlplane.auth.evidence import (
    NO_CREDENTIALS,
    Authenticator,
    Evidence,
    Failed,
    Outcome,
    Recognised,
    TokenAuthenticator,
)
from controlplane.auth.front_proxy import RequestHeaderTrust, front_proxy
from controlplane.auth.tokens import TokenTable
from controlplane.model.credentials import NOBODY, ClientAuthorities
from controlplane.model.identity import UserInfo

ALL_AUTHENTICATED: Final = "system:authenticated"
ALL_UNAUTHENTICATED: Final = "system:unauthenticated"
ANONYMOUS: Final = UserInfo(name="system:anonymous", groups=(ALL_UNAUTHENTICATED,))

BEARER_PROTOCOL: Final = "base64url.bearer.authorization.k8s.io."
_BEARER_PROTOCOLS: Final = re.compile(rf"(?:\A|,)\s*+{re.escape(BEARER_PROTOCOL)}([^,]*+)")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_CERTIFICATES_KEPT: Final = 4096

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Where whoever shows nothing is system:anonymous: nowhere, on some (decoded) paths to the letter, everywhere."""

    enabled: bool = False
    paths: frozenset[str] = frozenset()

    def allows(self, target: str) -> bool:
        """Whether a request for `target` (raw path with query) may be anonymous."""
        return self.enabled and (not self.paths or unescaped_text(target.partition("?")[0]) in self.paths)


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who is believed besides holders of a verified certificate.

    `tokens` and then `token_authenticators` are asked about bearer tokens, in order; `request_header` says which front
    proxies may say who asks, None that nobody may.
    """

    tokens: TokenTable = field(default_factory=lambda: TokenTable(b"", {}))
    token_authenticators: tuple[TokenAuthenticator, ...] = ()
    request_header: RequestHeaderTrust | None = None
    anonymous: Anonymous = Anonymous()


def authenticator(
    authentication: Authentication, clock: Clock, authorities: ClientAuthorities = NOBODY
) -> Callable[[Evidence], Awaitable[Recognised | Failed]]:
    """What finds out who shows some evidence; `clock` gives Unix seconds, `authorities` are those of certificates.

    The first kind of evidence that holds decides, whatever else was shown. A user found gets the group
    system:authenticated. When none holds and some was shown, or anonymous requests are off, the answer is `Failed`.
    """
    holder_of = _holder_of((_static(authentication.tokens), *authentication.token_authenticators))
    certificates = _certificates(authentication.request_header, authorities, clock)
    kinds = (*certificates, bearer_token(holder_of), websocket_token(holder_of))

    async def authenticate(evidence: Evidence) -> Recognised | Failed:
        failures: list[str] = []
        for kind in kinds:
            outcome = await kind(evidence)
            if isinstance(outcome, Failed):
                failures.append(outcome.reason)
            elif outcome is not None:
                return replace(outcome, user=with_authenticated_group(outcome.user))
        if failures:
            return Failed("; ".join(failures))
        if authentication.anonymous.allows(evidence.target):
            # A rule that allows it may reach further than the paths on which anonymous requests are on.
            until = -inf if authentication.anonymous.paths else inf
            return Recognised(ANONYMOUS, until, by="no credential, where anonymous requests are on")
        return NO_CREDENTIALS

    return authenticate


def _certificates(
    trust: RequestHeaderTrust | None, authorities: ClientAuthorities, clock: Clock
) -> tuple[Authenticator, ...]:
    """What is asked about client certificates: whose word counts for others', and whose they are."""
    users = client_certificate(clock, verifier(authorities.users, clock))
    if trust is None:
        return (users,)
    asserted = front_proxy(trust, authorities.front_proxies, clock)
    # As in kube-apiserver, without a client CA nobody looks at whose certificate it is.
    return (asserted, users) if authorities.users else (asserted,)


def client_certificate(clock: Clock, chain_of: Verifier) -> Authenticator:
    """Believes certificates of the authorities that `chain_of` knows; up to 4096 parsed ones are remembered.

    Envoy has verified them when the connection was made. Since then authorities may have been replaced, and it may have
    verified them against the authorities of front proxies.
    """
    read = lru_cache(maxsize=_CERTIFICATES_KEPT)(read_certificate)

    async def authenticate(evidence: Evidence) -> Outcome:
        if not evidence.certificate:
            return None
        if not evidence.certificate_verified:
            return Failed("the client certificate was not verified by the client CA")
        certificate = read(evidence.certificate)
        if isinstance(certificate, Failed):
            return certificate
        outcome = certificate.outcome(clock())
        if isinstance(outcome, Failed):
            return outcome
        chain = chain_of(evidence)
        if isinstance(chain, Failed):
            return chain
        return outcome if outcome is None else replace(outcome, until=min(outcome.until, chain.not_after))

    return authenticate


def bearer_token(holder_of: TokenAuthenticator) -> Authenticator:
    """Believes a token in the Authorization header's first line; other schemes are none of its business."""

    async def authenticate(evidence: Evidence) -> Outcome:
        words = next(iter(evidence.header_values("authorization")), "").strip().split(" ", 2)
        if len(words) < 2 or words[0].lower() != "bearer" or not words[1]:
            return None
        return await holder_of(words[1])

    return authenticate


def websocket_token(holder_of: TokenAuthenticator) -> Authenticator:
    """Believes a token offered as a WebSocket subprotocol, when another subprotocol is offered beside it."""

    async def authenticate(evidence: Evidence) -> Outcome:
        if not _is_websocket(evidence):
            return None
        protocols = ",".join(evidence.header_values("sec-websocket-protocol"))
        encoded = [protocol.rstrip() for protocol in _BEARER_PROTOCOLS.findall(protocols)]
        if len(encoded) > 1:
            return Failed("multiple base64.bearer.authorization tokens specified")
        token = _decoded(encoded[0]) if encoded else ""
        if isinstance(token, Failed):
            return token
        if not token:
            return None
        if "," not in protocols:
            return Failed("missing additional subprotocol")
        return await holder_of(token)

    return authenticate


def _static(tokens: TokenTable) -> TokenAuthenticator:
    async def authenticate(token: str) -> Outcome:
        user = tokens.user_of(token)
        return None if user is None else Recognised(user, by="the token file")

    return authenticate


def _holder_of(kinds: tuple[TokenAuthenticator, ...]) -> TokenAuthenticator:
    """Asks about a token until one kind recognises it; a token of no kind does not hold either."""

    async def authenticate(token: str) -> Outcome:
        failures: list[str] = []
        for kind in kinds:
            outcome = await kind(token)
            if isinstance(outcome, Recognised):
                return outcome
            if outcome is not None:
                failures.append(outcome.reason)
        return Failed("; ".join(("invalid bearer token", *failures)))

    return authenticate


def _is_websocket(evidence: Evidence) -> bool:
    upgrade = next(iter(evidence.header_values("upgrade")), "")
    return upgrade.lower() == "websocket" and any(
        "upgrade" in value.lower() for value in evidence.header_values("connection")
    )


def _decoded(encoded: str) -> str | Failed:
    if _BASE64URL.fullmatch(encoded) is None or len(encoded) % 4 == 1:
        return Failed("invalid base64.bearer.authorization token encoding")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except UnicodeDecodeError:
        return Failed("invalid base64.bearer.authorization token")


def with_authenticated_group(user: UserInfo) -> UserInfo:
    """The user as everybody who was recognised is: in system:authenticated, but for the anonymous user."""
    if user.name == ANONYMOUS.name or ALL_AUTHENTICATED in user.groups or ALL_UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, ALL_AUTHENTICATED))
