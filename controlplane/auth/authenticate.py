"""Who asks: certificate, bearer token, WebSocket token or anonymous, tried as kube-apiserver tries them.

In: the evidence a request shows. Out: a user, or why there is none.
Law: evidence that was shown and does not hold is never answered with the anonymous user.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, TypeAlias

from controlplane.auth.certificate import read_certificate
from controlplane.auth.evidence import Evidence, Failed, Outcome, Recognised
from controlplane.auth.tokens import TokenTable
from controlplane.model.identity import UserInfo

ALL_AUTHENTICATED: Final = "system:authenticated"
ALL_UNAUTHENTICATED: Final = "system:unauthenticated"
ANONYMOUS: Final = UserInfo(name="system:anonymous", groups=(ALL_UNAUTHENTICATED,))

BEARER_PROTOCOL: Final = "base64url.bearer.authorization.k8s.io."
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_CERTIFICATES_KEPT: Final = 4096

Clock: TypeAlias = Callable[[], float]
Authenticator: TypeAlias = Callable[[Evidence], Outcome]


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who is believed besides holders of a verified certificate: holders of static tokens, and anonymous clients."""

    tokens: TokenTable = field(default_factory=lambda: TokenTable(b"", {}))
    anonymous: bool = False


def authenticator(authentication: Authentication, clock: Clock) -> Callable[[Evidence], Recognised | Failed]:
    """What finds out who shows some evidence; `clock` gives Unix seconds.

    The first kind of evidence that holds decides, whatever else was shown. A user found gets the group
    system:authenticated. When none holds and some was shown, or anonymous requests are off, the answer is `Failed`.
    """
    kinds = (
        client_certificate(clock),
        bearer_token(authentication.tokens),
        websocket_token(authentication.tokens),
    )

    def authenticate(evidence: Evidence) -> Recognised | Failed:
        failures: list[str] = []
        for kind in kinds:
            outcome = kind(evidence)
            if isinstance(outcome, Failed):
                failures.append(outcome.reason)
            elif outcome is not None:
                return replace(outcome, user=_with_authenticated_group(outcome.user))
        if failures:
            return Failed("; ".join(failures))
        return Recognised(ANONYMOUS) if authentication.anonymous else Failed("no credentials were shown")

    return authenticate


def client_certificate(clock: Clock) -> Authenticator:
    """Believes certificates that Envoy verified, within their period; up to 4096 parsed ones are remembered."""
    read = lru_cache(maxsize=_CERTIFICATES_KEPT)(read_certificate)

    def authenticate(evidence: Evidence) -> Outcome:
        if not evidence.certificate:
            return None
        if not evidence.certificate_verified:
            return Failed("the client certificate was not verified by the client CA")
        certificate = read(evidence.certificate)
        return certificate if isinstance(certificate, Failed) else certificate.outcome(clock())

    return authenticate


def bearer_token(tokens: TokenTable) -> Authenticator:
    """Believes a token in the Authorization header's first line; other schemes are none of its business."""

    def authenticate(evidence: Evidence) -> Outcome:
        words = next(iter(evidence.header_values("authorization")), "").strip().split(" ", 2)
        if len(words) < 2 or words[0].lower() != "bearer" or not words[1]:
            return None
        return _holder_of(words[1], tokens)

    return authenticate


def websocket_token(tokens: TokenTable) -> Authenticator:
    """Believes a token offered as a WebSocket subprotocol, when another subprotocol is offered beside it."""

    def authenticate(evidence: Evidence) -> Outcome:
        if not _is_websocket(evidence):
            return None
        lines = evidence.header_values("sec-websocket-protocol")
        protocols = [protocol.strip() for line in lines for protocol in line.split(",")]
        encoded = [protocol for protocol in protocols if protocol.startswith(BEARER_PROTOCOL)]
        if len(encoded) > 1:
            return Failed("multiple base64.bearer.authorization tokens specified")
        token = _decoded(encoded[0].removeprefix(BEARER_PROTOCOL)) if encoded else ""
        if isinstance(token, Failed):
            return token
        if not token:
            return None
        if len(protocols) == 1:
            return Failed("missing additional subprotocol")
        return _holder_of(token, tokens)

    return authenticate


def _holder_of(token: str, tokens: TokenTable) -> Recognised | Failed:
    user = tokens.user_of(token)
    return Failed("invalid bearer token") if user is None else Recognised(user)


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


def _with_authenticated_group(user: UserInfo) -> UserInfo:
    if user.name == ANONYMOUS.name or ALL_AUTHENTICATED in user.groups or ALL_UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, ALL_AUTHENTICATED))
