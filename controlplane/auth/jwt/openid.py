"""The check of an OpenID Connect issuer's token whose signature holds.

In: claims, the issuer's configuration, the moment. Out: a user, or why there is none. Law: kube-apiserver's rules: no
leeway at the end of a token's life, a minute at its beginning, and an end must be there. Times may be in quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.claims import LEEWAY, audiences, moment
from controlplane.auth.jwt.configuration import Issuer
from controlplane.auth.jwt.distributed import defect_of_sources
from controlplane.auth.jwt.mapping import UserMapping

ALIASES: Final = MappingProxyType({"accounts.google.com": "https://accounts.google.com"})
"""Issuers by what `iss` may be besides: Google's tokens may leave out the scheme."""


def recognised(claims: Mapping[str, Any], issuer: Issuer, mapping: UserMapping, now: float) -> Recognised | Failed:
    """Whose token with `claims` it is at `now` (Unix seconds), until its `exp`."""
    end = end_of(claims, issuer.audiences, now)
    if isinstance(end, Failed):
        return end
    user = mapping.user(claims)
    return user if isinstance(user, Failed) else Recognised(user, end, f"the JWT issuer {issuer.url}")


def end_of(claims: Mapping[str, Any], accepted: Iterable[str], now: float) -> float | Failed:
    """Until when a token is good that is for one of the `accepted` audiences; why it is not at `now` (Unix seconds)."""
    if (defect := defect_of_sources(claims)) is not None:
        return defect
    meant_for = audiences(claims)
    if isinstance(meant_for, Failed):
        return meant_for
    if not set(meant_for) & set(accepted):
        return Failed(f"oidc: verify token: expected audience in {list(accepted)}")
    end, begin, issued = (moment(claims, name, quoted=True) for name in ("exp", "nbf", "iat"))
    for value in (end, begin, issued):
        if isinstance(value, Failed):
            return value
    if "iat" in claims and issued is None:
        return Failed("the claim iat is no number")
    if not isinstance(end, float) or end < now:
        return Failed("oidc: verify token: token is expired")
    if isinstance(begin, float) and now + LEEWAY < begin:
        return Failed("oidc: verify token: token is not valid yet")
    return end
