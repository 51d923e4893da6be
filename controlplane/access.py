"""Who may use the config API for what: the same authentication and RBAC that decide about requests over HTTP.

In: what a call shows, and the ruling in force. Out: a user, or the Status that refuses. Law: one ruling answers all
questions of a call; without one nobody is let in. Only a Unix socket that none but its owner can open proves by itself
who calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from controlplane.aio import Watchable
from controlplane.auth import escalation
from controlplane.auth.authenticate import ALL_AUTHENTICATED
from controlplane.auth.authorize import PRIVILEGED_GROUP
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.ruling import Ruling
from controlplane.configapi.access import Admission, Caller
from controlplane.model.identity import Decision, RequestInfo, UserInfo, Verdict
from controlplane.model.rbac import PolicyRule, RoleKey
from controlplane.resources import status
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.status import Status, qualified
from controlplane.resources.values import Json, JsonObject, quoted

OWNER: Final = UserInfo("system:admin", groups=(PRIVILEGED_GROUP, ALL_AUTHENTICATED))
"""Who calls through a socket of their own and shows nothing else."""

_OTHERS: Final = 0o077
_ROLES: Final = frozenset({"Role", "ClusterRole"})
_BINDINGS: Final = frozenset({"RoleBinding", "ClusterRoleBinding"})


class RuledAccess:
    """Begins the questions of calls; `socket` is the face's, None where it listens on TCP.

    The first question of a call waits up to `patience` seconds for the first ruling: at a start, who calls early waits
    for what has to be read.
    """

    def __init__(self, rulings: Watchable[Ruling | None], socket: Path | None, *, patience: float = 10.0) -> None:
        self._rulings = rulings
        self._socket = socket
        self._patience = patience

    def __call__(self, caller: Caller) -> RuledSession:
        """The questions of one call."""
        return RuledSession(self._ruling, caller, self._is_owner)

    async def _ruling(self) -> Ruling | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                return await self._rulings.changed(None)
        return None

    def _is_owner(self) -> bool | None:
        """Whether only the owner of the socket can have opened it; None when it is there no more."""
        try:
            return self._socket is not None and not self._socket.stat().st_mode & _OTHERS
        except FileNotFoundError:
            return None
        except OSError:
            return False


class RuledSession:
    """The questions of one call."""

    def __init__(
        self,
        ruling: Callable[[], Awaitable[Ruling | None]],
        caller: Caller,
        is_owner: Callable[[], bool | None],
    ) -> None:
        self._begin = ruling
        self._ruling: Ruling | None = None
        self._caller = caller
        self._is_owner = is_owner
        self._recognised: Recognised | Failed | None = None
        self.admissions: list[Admission] = []

    async def admit(self, method: str, target: str) -> UserInfo | Status:
        """The user, when the same request over HTTP would be let through; see `Session`."""
        if self._ruling is None:
            self._ruling = await self._begin()
        if self._ruling is None:
            return Status(503, "ServiceUnavailable", "who may do what is not known yet; try again in a moment")
        if self._recognised is None and self._owned() is None:
            # A server that stops has no socket any more, and still hears who is connected.
            return Status(503, "ServiceUnavailable", "the socket of this call is gone; try again in a moment")
        evidence = Evidence(
            certificate=self._caller.certificate,
            certificate_verified=bool(self._caller.certificate),
            certificate_chain=self._caller.certificate_chain,
            headers=self._caller.metadata,
            target=target,
        )
        decision = await decide(method, target, evidence, self._authenticate, self._ruling.authorizer)
        self.admissions.append(Admission(method, target, decision))
        return _refused(decision) if decision.user is None else decision.user

    async def confirm(self, user: UserInfo, kind: Kind, obj: JsonObject) -> Status | None:
        """403 when an object of RBAC would give others more than the user has; see `Session`."""
        ruling = self._ruling
        if PRIVILEGED_GROUP in user.groups or ruling is None:
            return None
        namespace, name = (str(obj["metadata"].get(part, "")) for part in ("namespace", "name"))
        if kind.kind in _ROLES:
            rules = _rules(obj.get("rules"))
            if obj.get("aggregationRule"):
                rules = (*rules, *escalation.EVERYTHING)
            if await self._may(user, "escalate", kind, namespace, name):
                return None
        elif kind.kind in _BINDINGS:
            reference = obj["roleRef"]
            role = KINDS["Role" if reference.get("kind") == "Role" else "ClusterRole"]
            if await self._may(user, "bind", role, namespace, reference["name"]):
                return None
            key = RoleKey(namespace if role.namespaced else "", reference["name"])
            found = None if ruling.rbac is None else ruling.rbac.rules(key)
            if found is None:
                return status.not_found(role.group, role.plural, reference["name"])
            rules = found
        else:
            return None
        missing = escalation.missing(ruling.rbac, user, namespace, rules)
        return _forbidden(kind, name, escalation.sentence(user, missing)) if missing else None

    async def _authenticate(self, evidence: Evidence) -> Recognised | Failed:
        if self._recognised is None:
            self._recognised = await self._recognise(evidence)
        return self._recognised

    async def _recognise(self, evidence: Evidence) -> Recognised | Failed:
        if self._ruling is None:
            return Failed("nobody can be recognised yet")
        return Recognised(OWNER) if self._owned() else await self._ruling.authenticate(evidence)

    def _owned(self) -> bool | None:
        """Whether it is the socket that proves who calls; None when it cannot any more."""
        caller = self._caller
        shown = caller.certificate or any(name == "authorization" for name, _ in caller.metadata)
        return False if shown or not caller.peer.startswith("unix:") else self._is_owner()

    async def _may(self, user: UserInfo, verb: str, kind: Kind, namespace: str, name: str) -> bool:
        assert self._ruling is not None  # noqa: S101 - asked before
        info = RequestInfo(
            is_resource_request=True,
            path="",
            verb=verb,
            api_group=kind.group,
            api_version=kind.version,
            namespace=namespace,
            resource=kind.plural,
            name=name,
        )
        return (await self._ruling.authorizer.authorize(user, info)).verdict is Verdict.ALLOW


def _refused(decision: Decision) -> Status:
    body = orjson.loads(decision.body)
    details = body.get("details", {})
    return Status(
        decision.status,
        body.get("reason", ""),
        body.get("message", ""),
        details.get("group", ""),
        details.get("kind", ""),
        details.get("name", ""),
    )


def _forbidden(kind: Kind, name: str, why: str) -> Status:
    message = f"{qualified(kind.group, kind.plural)} {quoted(name)} is forbidden: {why}"
    return Status(403, "Forbidden", message, kind.group, kind.plural, name)


def _rules(rules: Json) -> tuple[PolicyRule, ...]:
    return tuple(
        PolicyRule(
            verbs=tuple(rule.get("verbs") or ()),
            api_groups=tuple(rule.get("apiGroups") or ()),
            resources=tuple(rule.get("resources") or ()),
            resource_names=tuple(rule.get("resourceNames") or ()),
            non_resource_urls=tuple(rule.get("nonResourceURLs") or ()),
        )
        for rule in rules or ()
    )
