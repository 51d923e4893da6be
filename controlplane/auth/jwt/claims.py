"""The registered claims of a token (RFC 7519), as the two libraries of kube-apiserver read them.

In: claims as JSON, and the moment. Out: values, or why the token does not hold. Law: a claim of the wrong type refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from controlplane.auth.evidence import Failed
from controlplane.auth.identity_headers import unfit
from controlplane.model.identity import UserInfo

CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
LEEWAY: Final = 60.0
"""Seconds by which clocks may differ."""
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def moment(claims: Mapping[str, Any], name: str, *, quoted: bool = False) -> float | Failed | None:
    """The claim `name` in Unix seconds; None when there is none. A number `quoted` (RFC 8259) may be a string, too."""
    value = claims.get(name)
    if value is None:
        return None
    if quoted and isinstance(value, str) and _NUMBER.fullmatch(value) and isfinite(number := float(value)):
        return number
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Failed(f"the claim {name} is no number")
    return float(value)


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...] | Failed:
    """The claim `aud`, one string or a list of them; none when there is none."""
    value = claims.get("aud")
    listed = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        return Failed("the claim aud is no string or list of strings")
    return tuple(listed)


def credential_id(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The extra that tells tokens of one user apart; empty when the token has no `jti`."""
    value = claims.get("jti")
    return {CREDENTIAL_ID: (f"JTI={value}",)} if isinstance(value, str) and value else {}


def user_info(name: str, uid: str, groups: Iterable[str], extra: Mapping[str, tuple[str, ...]]) -> UserInfo | Failed:
    """The user, unless a backend could not be told of it: without a name, or with a value that no header can carry."""
    if not name:
        return Failed("the token's user name is empty")
    user = UserInfo(name, uid, tuple(groups), tuple(sorted((key, tuple(values)) for key, values in extra.items())))
    values = (name, uid, *user.groups, *(value for _, values in user.extra for value in values))
    reason = next((reason for value in values if (reason := unfit(value)) is not None), None)
    return user if reason is None else Failed(f"a value of the token's user {reason}")
