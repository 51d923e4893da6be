"""Tokens of Kubernetes service accounts: bound ones, and the secrets of old that never end.

In: claims whose signature holds, and the moment. Out: a service account as user, or why there is none.
Law: nothing is looked up. There is no API server at hand to ask whether the service account, or the Pod, Node or Secret
that a token is bound to, still exists: a token is good until it ends, even after they are deleted. kube-apiserver
refuses it from then on. So tokens should be short-lived (kubelet's live an hour), and legacy tokens, which have no end,
are believed only where that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.claims import LEEWAY, audiences, credential_id, moment, user_info
from controlplane.auth.jwt.keys import VerificationKey
from controlplane.model.names import dns1123_label, dns1123_subdomain

LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
_PREFIX: Final = "system:serviceaccount:"
_GROUP: Final = "system:serviceaccounts"
_EXTRA: Final = "authentication.kubernetes.io/"
_LEGACY: Final = "kubernetes.io/serviceaccount/"


@dataclass(frozen=True, slots=True)
class ServiceAccountTokens:
    """Which service account tokens are believed: of these issuers, signed with one of the keys.

    The keys are `keys`, and those fetched from `jwks_url` (https, "" for none), where `certificate_authority` (PEM, ""
    for the system's roots) is trusted. A token must be for one of `audiences`; none given: for one of the issuers.
    `legacy`: tokens of the issuer kubernetes/serviceaccount, which never end, are believed too.
    """

    issuers: tuple[str, ...]
    keys: tuple[VerificationKey, ...] = ()
    audiences: tuple[str, ...] = ()
    jwks_url: str = ""
    certificate_authority: str = ""
    legacy: bool = False

    @property
    def accepted(self) -> frozenset[str]:
        """The audiences of which a token must name one."""
        return frozenset(self.audiences or self.issuers)


def recognised_bound(claims: Mapping[str, Any], tokens: ServiceAccountTokens, now: float) -> Recognised | Failed:
    """The service account of a bound token at `now` (Unix seconds), with what it is bound to as extras.

    A token without an audience is for everyone, and one without an end has none, as for kube-apiserver.
    """
    defect = _out_of_place(claims, tokens, now)
    if defect is not None:
        return defect
    bound = claims.get("kubernetes.io")
    if not isinstance(bound, dict):
        return Failed("service account token has no claim kubernetes.io")
    account, pod, node, secret = (_reference(bound, name) for name in ("serviceaccount", "pod", "node", "secret"))
    if account is None or pod is None or node is None or secret is None:
        return Failed("what the service account token is bound to is not written as name and uid")
    extra = credential_id(claims)
    if pod["name"] and pod["uid"]:
        extra |= {f"{_EXTRA}pod-{key}": (value,) for key, value in pod.items()}
    if node["name"]:
        extra |= {f"{_EXTRA}node-{key}": (value,) for key, value in node.items() if value}
    end = moment(claims, "exp")
    until = end if isinstance(end, float) else inf
    return _recognised(bound.get("namespace"), account["name"], account["uid"], extra, until)


def recognised_legacy(claims: Mapping[str, Any], tokens: ServiceAccountTokens, now: float) -> Recognised | Failed:
    """The service account of a legacy token; an end that is there all the same counts."""
    defect = _out_of_place(claims, tokens, now)
    if defect is not None:
        return defect
    if not claims.get(f"{_LEGACY}secret.name"):
        return Failed("secretName claim is missing")
    namespace, name = claims.get(f"{_LEGACY}namespace"), claims.get(f"{_LEGACY}service-account.name")
    if claims.get("sub") != f"{_PREFIX}{namespace}:{name}":
        return Failed("sub claim is invalid")
    uid = claims.get(f"{_LEGACY}service-account.uid")
    end = moment(claims, "exp")
    return _recognised(namespace, name, uid, {}, end if isinstance(end, float) else inf)


def _out_of_place(claims: Mapping[str, Any], tokens: ServiceAccountTokens, now: float) -> Failed | None:
    """Why a token does not count now or not here; None when it does."""
    if "aud" in claims and claims["aud"] is None:
        return Failed("the claim aud is null")
    if not all(isinstance(claims.get(name), str | None) for name in ("sub", "jti")):
        return Failed("the claim sub or jti is no string")
    meant_for = audiences(claims)
    if isinstance(meant_for, Failed):
        return meant_for
    if meant_for and not tokens.accepted & set(meant_for):
        return Failed(f"token audiences are invalid for the target audiences {sorted(tokens.accepted)}")
    end, begin, issued = (moment(claims, name) for name in ("exp", "nbf", "iat"))
    if isinstance(end, Failed) or isinstance(begin, Failed) or isinstance(issued, Failed):
        return Failed("a time in the service account token is no number")
    if begin is not None and now + LEEWAY < begin:
        return Failed("service account token is not valid yet")
    if end is not None and now - LEEWAY > end:
        return Failed("service account token has expired")
    if issued is not None and now + LEEWAY < issued:
        return Failed("service account token is issued in the future")
    return None


def _recognised(
    namespace: object, name: object, uid: object, extra: Mapping[str, tuple[str, ...]], until: float
) -> Recognised | Failed:
    if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str) and uid):
        return Failed("service account token does not name namespace, service account and uid")
    # A name with a colon in it would be another account's user name.
    if dns1123_label(namespace) or dns1123_subdomain(name):
        return Failed("service account token names no valid namespace and service account")
    user = user_info(f"{_PREFIX}{namespace}:{name}", uid, (_GROUP, f"{_GROUP}:{namespace}"), extra)
    return user if isinstance(user, Failed) else Recognised(user, until, "service account tokens")


def _reference(bound: Mapping[str, Any], kind: str) -> dict[str, str] | None:
    """Name and UID, "" for what is not there or null; None when something else is there."""
    value = bound.get(kind)
    reference = {} if value is None else value
    if not isinstance(reference, dict):
        return None
    texts = {key: "" if reference.get(key) is None else reference[key] for key in ("name", "uid")}
    return texts if all(isinstance(text, str) for text in texts.values()) else None
