"""Claims that are kept somewhere else (OpenID Connect Core 1.0, section 5.6.2), as a token names their places.

In: verified claims. Out: the place of one claim, that there is none, or why the token does not hold. Law: as
kube-apiserver: a token that names sources which it does not describe is refused, whichever claim they are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controlplane.auth.evidence import Failed
from controlplane.model.credentials import Secret

_NAMES: Final = "_claim_names"
_SOURCES: Final = "_claim_sources"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim is: a JWT that holds it is at `endpoint` (a URL), for whoever shows `access_token` if there is one.

    An empty `endpoint` is an aggregated claim's, which nobody here reads.
    """

    endpoint: str
    access_token: Secret | None = None


def defect_of_sources(claims: Mapping[str, Any]) -> Failed | None:
    """Why the sources of `claims`, whichever claims they are for, make the token one that does not hold."""
    names, sources = _names(claims), _sources(claims)
    if isinstance(names, Failed):
        return names
    if isinstance(sources, Failed):
        return sources
    if "" in names.values():
        return Failed("oidc: verify token: failed to obtain source from claim name")
    if not sources.keys() >= set(names.values()):
        return Failed("oidc: verify token: source does not exist")
    return None


def source_of(claims: Mapping[str, Any], claim: str) -> Source | Failed | None:
    """Where `claim` is to be had; None when it is in `claims` itself, or nowhere.

    Only where `claims` have no `defect_of_sources` does it matter.
    """
    if claim in claims or _NAMES not in claims:
        return None
    if _SOURCES not in claims:
        return Failed("oidc: could not expand distributed claims: no claim sources")
    names, sources = _names(claims), _sources(claims)
    if isinstance(names, Failed):
        return names
    if isinstance(sources, Failed):
        return sources
    name = names.get(claim)
    source = None if name is None else sources.get(name)
    return source if source is not None and source.endpoint else None


def _names(claims: Mapping[str, Any]) -> dict[str, str] | Failed:
    value = claims.get(_NAMES)
    if value is None:
        return {}
    if not isinstance(value, dict):
        return Failed(f"the claim {_NAMES} is no object")
    # To Go's decoder null is the empty string.
    names = {claim: "" if name is None else name for claim, name in value.items()}
    if not all(isinstance(name, str) for name in names.values()):
        return Failed(f"the claim {_NAMES} holds what is no string")
    return names


def _sources(claims: Mapping[str, Any]) -> dict[str, Source] | Failed:
    value = claims.get(_SOURCES)
    if value is None:
        return {}
    if not isinstance(value, dict):
        return Failed(f"the claim {_SOURCES} is no object")
    sources: dict[str, Source] = {}
    for name, written in value.items():
        described = {} if written is None else written
        if not isinstance(described, dict):
            return Failed(f"the claim {_SOURCES} holds what is no object")
        endpoint, token, jwt = (
            "" if described.get(key) is None else described[key] for key in ("endpoint", "access_token", "JWT")
        )
        if not (isinstance(endpoint, str) and isinstance(token, str) and isinstance(jwt, str)):
            return Failed(f"the claim {_SOURCES} holds what is no string")
        sources[name] = Source(endpoint, Secret(token.encode()) if token else None)
    return sources
