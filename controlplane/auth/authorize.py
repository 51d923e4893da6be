"""Whether a user may do what a request asks: what authorizers say, and how several of them are asked.

In: a user and a RequestInfo. Out: a verdict with its reason.
Law: the zero value denies, and so does a chain in which nobody speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.model.rbac import Grant, Holder, RoleBinding

PRIVILEGED_GROUP: Final = "system:masters"


@dataclass(frozen=True, slots=True)
class Opinion:
    """An authorizer's verdict.

    `reason` is appended to the 403's message, or says why it is allowed; `grant` says by which rule. `error` says why
    an authorizer could not be asked: a request that nobody allows is then answered with 500 and not with 403. `silent`
    says that DENY is only what remains where nobody has an opinion.
    """

    verdict: Verdict = Verdict.DENY
    reason: str = ""
    grant: Grant | None = None
    error: str = ""
    silent: bool = False


class Authorizer(Protocol):
    """Anything that judges a request."""

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The verdict on what `user` asks for in `info`."""
        ...


@dataclass(frozen=True, slots=True)
class PrivilegedGroups:
    """Allows everything to members of some groups, and has no opinion about anybody else."""

    groups: frozenset[str] = frozenset({PRIVILEGED_GROUP})

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:  # noqa: ARG002 - the protocol passes both
        """ALLOW for a member, NO_OPINION otherwise."""
        group = next((group for group in user.groups if group in self.groups), None)
        if group is None:
            return Opinion(Verdict.NO_OPINION)
        return Opinion(Verdict.ALLOW, grant=Grant(Holder("Group", group, "")))


@dataclass(frozen=True, slots=True)
class Always:
    """Says the same to everything, as kube-apiserver's AlwaysAllow and AlwaysDeny do; Envoy keeps none of it."""

    opinion: Opinion

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:  # noqa: ARG002 - the protocol passes both
        """The opinion."""
        return self.opinion


ALWAYS_ALLOW: Final = Always(Opinion(Verdict.ALLOW))
ALWAYS_DENY: Final = Always(Opinion(Verdict.NO_OPINION, "Everything is forbidden."))


def union(*authorizers: Authorizer) -> Authorizer:
    """Authorizers asked in order: the first ALLOW or DENY holds; when none speaks, or there is none, it is DENY."""
    return _Union(authorizers)


@dataclass(frozen=True, slots=True)
class _Union:
    authorizers: tuple[Authorizer, ...]

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        reasons: list[str] = []
        errors: list[str] = []
        for authorizer in self.authorizers:
            opinion = await authorizer.authorize(user, info)
            if opinion.verdict is not Verdict.NO_OPINION:
                return opinion
            if opinion.reason:
                reasons.append(opinion.reason)
            if opinion.error:
                errors.append(opinion.error)
        return Opinion(Verdict.DENY, "\n".join(reasons), error=aggregated(errors), silent=True)


def aggregated(errors: list[str]) -> str:
    """Several errors in one text, as Kubernetes writes them: each once, in brackets when there are several."""
    distinct = list(dict.fromkeys(errors))
    return f"[{', '.join(distinct)}]" if len(distinct) > 1 else "".join(distinct)


def allowed_by(grant: Grant) -> str:
    """The reason that kube-apiserver's RBAC gives for allowing; "" for a group's privilege, as there."""
    if grant.binding is None:
        return ""
    key, role = grant.binding.key, grant.binding.role
    kind = "RoleBinding" if key.namespace else "ClusterRoleBinding"
    name = f"{key.name}/{key.namespace}" if key.namespace else key.name
    role_kind = "Role" if role.namespace else "ClusterRole"
    return f'RBAC: allowed by {kind} "{name}" of {role_kind} "{role.name}" to {_subject(grant.holder, grant.binding)}'


def _subject(holder: Holder, binding: RoleBinding) -> str:
    subject = next((subject for subject in binding.subjects if binding.holder(subject) == holder), None)
    if subject is not None and subject.kind == "ServiceAccount":
        return f'ServiceAccount "{subject.name}/{subject.namespace or binding.key.namespace}"'
    return f'{holder.kind} "{holder.name}"'
