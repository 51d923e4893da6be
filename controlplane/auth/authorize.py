"""Whether a user may do what a request asks: privileged groups and role-based access control.

In: a user, a RequestInfo and one Policy. Out: a verdict with its reason.
Law: rights only add up: a role that is missing or empty grants nothing and takes nothing away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, compress, count
from operator import is_not
from typing import Final, Protocol, TypeAlias

from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Holder, PolicyRule, Role, RoleBinding, RoleKey

PRIVILEGED_GROUP: Final = "system:masters"

Index: TypeAlias = dict[Holder, dict[BindingKey, RoleBinding]]
"""The bindings of everybody bound; a value is shared between generations and never changed in place."""
Aggregated: TypeAlias = dict[RoleKey, tuple[PolicyRule, ...]]
"""The rules of ClusterRoles with an aggregationRule, as far as they were asked for."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What allows a request: a rule of a role that somebody is bound to; `rule` is None for a group's privilege."""

    holder: Holder
    role: RoleKey | None = None
    rule: PolicyRule | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """An authorizer's verdict; `reason` is appended to the 403's message, `grant` says what allows."""

    verdict: Verdict = Verdict.DENY
    reason: str = ""
    grant: Grant | None = None


class Authorizer(Protocol):
    """Anything that judges a request."""

    def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The verdict on what `user` asks for in `info`."""
        ...


@dataclass(frozen=True, slots=True)
class PrivilegedGroups:
    """Allows everything to members of some groups, and has no opinion about anybody else."""

    groups: frozenset[str] = frozenset({PRIVILEGED_GROUP})

    def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:  # noqa: ARG002 - the protocol passes both
        """ALLOW for a member, NO_OPINION otherwise."""
        group = next((group for group in user.groups if group in self.groups), None)
        if group is None:
            return Opinion(Verdict.NO_OPINION)
        return Opinion(Verdict.ALLOW, grant=Grant(Holder("Group", group, "")))


def union(*authorizers: Authorizer) -> Authorizer:
    """Authorizers asked in order: the first ALLOW or DENY holds; when none speaks, or there is none, it is DENY."""
    return _Union(authorizers)


@dataclass(frozen=True, slots=True)
class _Union:
    authorizers: tuple[Authorizer, ...]

    def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        reasons: list[str] = []
        for authorizer in self.authorizers:
            opinion = authorizer.authorize(user, info)
            if opinion.verdict is not Verdict.NO_OPINION:
                return opinion
            if opinion.reason:
                reasons.append(opinion.reason)
        return Opinion(Verdict.DENY, "\n".join(reasons))


class Rbac:
    """Role-based access control by one Policy, to the letter of rbac.authorization.k8s.io/v1.

    A decision costs what the user's own bindings cost.
    """

    __slots__ = ("_aggregated", "_index", "_policy")

    def __init__(self, policy: Policy, index: Index | None = None, aggregated: Aggregated | None = None) -> None:
        self._policy = policy
        self._index = _reindexed({}, {}, policy.bindings) if index is None else index
        self._aggregated: Aggregated = {} if aggregated is None else aggregated

    def following(self, policy: Policy) -> Rbac:
        """The same by a later policy; only bindings that are not the identical objects are indexed anew."""
        before, index = self._policy, self._index
        if policy.bindings is not before.bindings:
            index = _reindexed(index, before.bindings, policy.bindings)
        return Rbac(policy, index, self._aggregated if policy.roles is before.roles else None)

    def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """ALLOW when a rule of a bound role does, NO_OPINION otherwise, with the bound roles that do not exist."""
        missing: dict[str, None] = {}
        for holder, binding in self._bindings(user, info.namespace):
            rules = self._rules(binding.role)
            if rules is None:
                missing[_not_found(binding.role)] = None
                continue
            for rule in rules:
                if rule_allows(rule, info):
                    return Opinion(Verdict.ALLOW, grant=Grant(holder, binding.role, rule))
        errors = sorted(missing)
        shown = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
        return Opinion(Verdict.NO_OPINION, f"RBAC: {shown}" if errors else "")

    def _bindings(self, user: UserInfo, namespace: str) -> Iterator[tuple[Holder, RoleBinding]]:
        """The ClusterRoleBindings of a user and of the user's groups, then the RoleBindings in the namespace."""
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for scope in ("", namespace) if namespace else ("",):
            for kind, name in subjects:
                holder = Holder(kind, name, scope)
                for binding in self._index.get(holder, {}).values():
                    yield holder, binding

    def _rules(self, key: RoleKey) -> tuple[PolicyRule, ...] | None:
        role = self._policy.roles.get(key)
        if role is None or not role.aggregation:
            return None if role is None else role.rules
        if key not in self._aggregated:
            self._aggregated[key] = _aggregate(role, self._policy.roles)
        return self._aggregated[key]


def rule_allows(rule: PolicyRule, info: RequestInfo) -> bool:
    """True when one rule grants what the request asks for; a rule about names never grants a request without one."""
    if "*" not in rule.verbs and info.verb not in rule.verbs:
        return False
    if not info.is_resource_request:
        return any(_url_matches(url, info.path) for url in rule.non_resource_urls)
    return (
        ("*" in rule.api_groups or info.api_group in rule.api_groups)
        and _resource_matches(rule.resources, info)
        and (not rule.resource_names or info.name in rule.resource_names)
    )


def _resource_matches(resources: tuple[str, ...], info: RequestInfo) -> bool:
    if "*" in resources:
        return True
    if not info.subresource:
        return info.resource in resources
    return f"{info.resource}/{info.subresource}" in resources or f"*/{info.subresource}" in resources


def _url_matches(url: str, path: str) -> bool:
    return url in {"*", path} or (url.endswith("*") and path.startswith(url.rstrip("*")))


def _reindexed(
    index: Index, before: Mapping[BindingKey, RoleBinding], after: Mapping[BindingKey, RoleBinding]
) -> Index:
    """A copy of `index` in which the bindings that differ have changed; what did not change is shared."""
    gone, come = _differing(list(before.values()), list(after.values()))
    fresh = dict(index)
    owned: set[Holder] = set()
    for binding, held in chain(((each, False) for each in gone), ((each, True) for each in come)):
        for holder in binding.holders:
            if holder not in owned:
                owned.add(holder)
                fresh[holder] = dict(fresh.get(holder, {}))
            if held:
                fresh[holder][binding.key] = binding
            else:
                fresh[holder].pop(binding.key, None)
    for holder in owned:
        if not fresh[holder]:
            del fresh[holder]
    return fresh


def _differing(old: list[RoleBinding], new: list[RoleBinding]) -> tuple[list[RoleBinding], list[RoleBinding]]:
    """The objects that are only in `old`, and those that are only in `new`.

    One change in a mapping leaves the order of the others: the equal ends are skipped before any object is hashed.
    """
    start = _equal_until(old, new)
    old, new = old[start:], new[start:]
    end = _equal_until(old[::-1], new[::-1])
    old_ids = {id(binding): binding for binding in old[: len(old) - end]}
    new_ids = {id(binding): binding for binding in new[: len(new) - end]}
    gone = [binding for key, binding in old_ids.items() if key not in new_ids]
    come = [binding for key, binding in new_ids.items() if key not in old_ids]
    return gone, come


def _equal_until(old: list[RoleBinding], new: list[RoleBinding]) -> int:
    return next(compress(count(), map(is_not, old, new)), min(len(old), len(new)))


def _aggregate(role: Role, roles: Mapping[RoleKey, Role]) -> tuple[PolicyRule, ...]:
    """The rules of the ClusterRoles that an aggregationRule selects, directly or through others, and not its own."""
    rules: dict[PolicyRule, None] = {}
    seen = {role.key}
    pending = [role]
    while pending:
        selectors = pending.pop().aggregation
        for other in roles.values():
            if other.key.namespace or other.key in seen or not _selected(other, selectors):
                continue
            seen.add(other.key)
            if other.aggregation:
                pending.append(other)
            else:
                rules.update(dict.fromkeys(other.rules))
    return tuple(rules)


def _selected(role: Role, selectors: tuple[tuple[tuple[str, str], ...], ...]) -> bool:
    return any(all(pair in role.labels for pair in selector) for selector in selectors)


def _not_found(key: RoleKey) -> str:
    kind = "role" if key.namespace else "clusterrole"
    return f'{kind}.rbac.authorization.k8s.io "{key.name}" not found'
