"""What the API asks about whoever calls: who it is, and what is allowed.

In: what a call shows. Out: a user, or the Status that refuses, and for the record how that came about. Law: this module
only says how to ask; nobody is let in by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from urllib.parse import quote, urlencode

from controlplane.model.identity import Decision, UserInfo
from controlplane.resources.kinds import Kind
from controlplane.resources.status import Status
from controlplane.resources.values import JsonObject


@dataclass(frozen=True, slots=True)
class Caller:
    """What a call shows: where it comes from, a client certificate that was verified with its chain (PEM), metadata.

    `peer` is "unix:..." for a Unix socket; without a certificate both texts are "". The repr shows no metadata: there
    are tokens in it.
    """

    peer: str = ""
    certificate: str = ""
    certificate_chain: str = ""
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """What was decided on one request as it would be over HTTP."""

    method: str
    target: str
    decision: Decision


class Session(Protocol):
    """One call's questions, all answered by what was in force at the first of them."""

    @property
    def admissions(self) -> Sequence[Admission]:
        """What was decided so far, in order."""

    async def admit(self, method: str, target: str) -> UserInfo | Status:
        """The user, when the same request over HTTP would be let through; 401, 403 or 500 otherwise."""

    async def confirm(self, user: UserInfo, kind: Kind, obj: JsonObject) -> Status | None:
        """403 when an object of RBAC would give others more than the user has, None for all else."""


Access: TypeAlias = Callable[[Caller], Session]
"""Begins the questions of one call."""


def collection(kind: Kind, namespace: str, **query: str) -> str:
    """The request target of a collection; "" is all namespaces. Query values that are "" are left out."""
    prefix = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    given = urlencode({name: value for name, value in query.items() if value}, quote_via=quote)
    return f"{prefix}{place}/{kind.plural}{f'?{given}' if given else ''}"


def item(kind: Kind, namespace: str, name: str) -> str:
    """The request target of one object."""
    return f"{collection(kind, namespace)}/{quote(name, safe='')}"
