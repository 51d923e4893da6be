"""The check of an OpenID Connect issuer's token whose signature holds.

In: claims, the issuer's configuration, the moment. Out: a user, or why there is none. Law: kube-apiserver's rules: no
leeway at the end of a token's life, a minute at its beginning, and an end must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.claims import LEEWAY, audiences, moment
from controlplane.auth.jwt.configuration import Issuer
from controlplane.auth.jwt.mapping import UserMapping


def recognised(claims: Mapping[str, Any], issuer: Issuer, mapping: UserMapping, now: float) -> Recognised | Failed:
    """Whose token with `claims` it is at `now` (Unix seconds), until its `exp`."""
    meant_for = audiences(claims)
    if isinstance(meant_for, Failed):
        return meant_for
    if not set(meant_for) & set(issuer.audiences):
        return Failed(f"oidc: verify token: expected audience in {list(issuer.audiences)}")
    end, begin, issued = (moment(claims, name) for name in ("exp", "nbf", "iat"))
    for value in (end, begin, issued):
        if isinstance(value, Failed):
            return value
    if "iat" in claims and issued is None:
        return Failed("the claim iat is no number")
    if not isinstance(end, float) or end < now:
        return Failed("oidc: verify token: token is expired")
    if isinstance(begin, float) and now + LEEWAY < begin:
        return Failed("oidc: verify token: token is not valid yet")
    user = mapping.user(claims)
    return user if isinstance(user, Failed) else Recognised(user, end, f"the JWT issuer {issuer.url}")
