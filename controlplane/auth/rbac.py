"""Role-based access control by one Policy.

In: a user, a RequestInfo and one Policy. Out: ALLOW with the rule that allows, or no opinion.
Law: rights only add up: a role that is missing or empty grants nothing and takes nothing away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, compress, count, islice
from operator import is_not
from typing import Final, TypeAlias, TypeVar

from controlplane.auth.authorize import Opinion, aggregated
from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Grant, Holder, PolicyRule, Role, RoleBinding, RoleKey
from controlplane.model.selector import Requirement

Index: TypeAlias = dict[Holder, dict[BindingKey, RoleBinding]]
"""The bindings of everybody bound; a value is shared between generations and never changed in place."""
Aggregated: TypeAlias = dict[RoleKey, tuple[PolicyRule, ...]]
"""The rules of ClusterRoles with an aggregationRule, as far as they were asked for."""

T = TypeVar("T")

# After so many differences between two lists their rests are compared by identity alone.
_CHANGES: Final = 16


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

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """ALLOW when a rule of a bound role does, NO_OPINION otherwise, with the bound roles that do not exist."""
        missing: dict[str, None] = {}
        for holder, binding in self.bindings(user, info.namespace):
            rules = self.rules(binding.role)
            if rules is None:
                missing[_not_found(binding.role)] = None
                continue
            for rule in rules:
                if rule_allows(rule, info):
                    return Opinion(Verdict.ALLOW, grant=Grant(holder, binding, rule))
        return Opinion(Verdict.NO_OPINION, f"RBAC: {aggregated(sorted(missing))}" if missing else "")

    def bindings(self, user: UserInfo, namespace: str) -> Iterator[tuple[Holder, RoleBinding]]:
        """The ClusterRoleBindings of a user and of the user's groups, then the RoleBindings in the namespace."""
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for scope in ("", namespace) if namespace else ("",):
            for kind, name in subjects:
                holder = Holder(kind, name, scope)
                for binding in self._index.get(holder, {}).values():
                    yield holder, binding

    def rules(self, key: RoleKey) -> tuple[PolicyRule, ...] | None:
        """The rules of a role, None when there is no such role."""
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
    gone, come = differing(list(before.values()), list(after.values()))
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


def differing(old: list[T], new: list[T]) -> tuple[list[T], list[T]]:
    """The objects that are only in `old`, and those that are only in `new`.

    A few changes in a mapping leave the others in order: what is at its place, or one further, is not even hashed.
    """
    gone, come, left, right = list[T](), list[T](), 0, 0
    for _ in range(_CHANGES):
        differ = compress(count(), map(is_not, islice(old, left, None), islice(new, right, None)))
        same = next(differ, min(len(old) - left, len(new) - right))
        left, right = left + same, right + same
        if left == len(old) or right == len(new):
            break
        removed = left + 1 < len(old) and old[left + 1] is new[right]
        added = right + 1 < len(new) and new[right + 1] is old[left]
        if not added:
            gone.append(old[left])
            left += 1
        if not removed:
            come.append(new[right])
            right += 1
    old_ids = {id(each): each for each in chain(gone, islice(old, left, None))}
    new_ids = {id(each): each for each in chain(come, islice(new, right, None))}
    return (
        [each for key, each in old_ids.items() if key not in new_ids],
        [each for key, each in new_ids.items() if key not in old_ids],
    )


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


def _selected(role: Role, selectors: tuple[tuple[Requirement, ...], ...]) -> bool:
    labels = dict(role.labels)
    return any(all(requirement.fits(labels) for requirement in selector) for selector in selectors)


def _not_found(key: RoleKey) -> str:
    kind = "role" if key.namespace else "clusterrole"
    return f'{kind}.rbac.authorization.k8s.io "{key.name}" not found'
