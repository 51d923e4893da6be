"""What files and settings say about webhooks, as data.

In: nothing. Out: descriptions that live objects are made of. Law: a description is whole: nothing it needs is still to
be read, except a token file that is replaced while it is in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.auth.webhook.reviews import Version, api_path
from controlplane.model.identity import Verdict


@dataclass(frozen=True, slots=True)
class TokenReviews:
    """A server that knows bearer tokens; times are in seconds.

    A token that is recognised is not asked about again for `cache_ttl`, which is also how long anybody may rely on it.
    A token must be for one of `audiences`; none: the server's own audiences decide. `timeout` is for one try.
    """

    connection: Connection
    version: Version = "v1"
    audiences: tuple[str, ...] = ()
    cache_ttl: float = 10.0
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class AccessReviews:
    """A server that authorizes; times are in seconds, and a TTL of 0 keeps nothing.

    `failure_policy` (DENY or NO_OPINION) is the verdict when it does not answer. It is asked about requests for which
    all of `match_conditions` (CEL) are true.
    """

    name: str
    connection: Connection
    authorized_ttl: float = 300.0
    unauthorized_ttl: float = 30.0
    timeout: float = 30.0
    version: Version = "v1"
    failure_policy: Verdict = Verdict.DENY
    match_conditions: tuple[str, ...] = ()


class Local(Enum):
    """An authorizer that asks nobody."""

    RBAC = "RBAC"
    ALWAYS_ALLOW = "AlwaysAllow"
    ALWAYS_DENY = "AlwaysDeny"


Chain: TypeAlias = tuple[Local | AccessReviews, ...]
"""Authorizers in the order in which they are asked."""


def at_api(connection: Connection, kind: tuple[str, str], version: Version) -> Connection:
    """The same server, asked as an API server: at the path where it takes reviews of this kind (group, resource)."""
    return replace(connection, url=connection.url.rstrip("/") + api_path(kind, version))
