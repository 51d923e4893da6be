"""What of RBAC rules somebody does not hold, and so may not give to others.

In: rules that are held and rules that are to be given. Out: those that are missing, and the sentence that refuses them.
Law: what kube-apiserver's escalation check demands: every single right that is given is covered by one rule that is
held; wildcards are covered by wildcards alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Final

from controlplane.auth.rbac import Rbac
from controlplane.auth.status import go_quoted
from controlplane.model.identity import UserInfo
from controlplane.model.rbac import PolicyRule

EVERYTHING: Final = (
    PolicyRule(("*",), ("*",), ("*",)),
    PolicyRule(("*",), non_resource_urls=("*",)),
)
"""What one must hold to write an aggregationRule, which may come to mean anything."""

# A rule can stand for millions of single rights, and to look at all of them would hold up everybody else.
_MOST: Final = 20_000


def missing(rbac: Rbac | None, user: UserInfo, namespace: str, given: Sequence[PolicyRule]) -> tuple[PolicyRule, ...]:
    """The single rights among `given` that the user holds nowhere in the namespace ("": in the whole cluster).

    Without RBAC nothing is held.
    """
    held = [] if rbac is None else list(_held(rbac, user, namespace))
    left = [rule for rule in given if not any(_covers_whole(each, rule) for each in held)]
    rights = list(islice((right for rule in left for right in _single(rule)), _MOST + 1))
    if len(rights) > _MOST:
        return tuple(left)
    return tuple(right for right in rights if not any(_covers(rule, right) for rule in held))


def sentence(user: UserInfo, rights: Sequence[PolicyRule]) -> str:
    """Why what is missing cannot be given, as kube-apiserver says it."""
    groups = " ".join(map(go_quoted, user.groups))
    lines = "\n".join(sorted({_shown(rule) for rule in _joined(rights)}))
    return (
        f"user {go_quoted(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n"
        f"{lines}"
    )


def _held(rbac: Rbac, user: UserInfo, namespace: str) -> Iterator[PolicyRule]:
    for _, binding in rbac.bindings(user, namespace):
        yield from rbac.rules(binding.role) or ()


def _single(rule: PolicyRule) -> Iterator[PolicyRule]:
    names: tuple[tuple[str, ...], ...] = tuple((name,) for name in rule.resource_names) or ((),)
    for group, resource, name, verb in product(rule.api_groups, rule.resources, names, rule.verbs):
        yield PolicyRule((verb,), (group,), (resource,), name)
    for url, verb in product(rule.non_resource_urls, rule.verbs):
        yield PolicyRule((verb,), non_resource_urls=(url,))


def _covers(held: PolicyRule, right: PolicyRule) -> bool:
    if "*" not in held.verbs and right.verbs[0] not in held.verbs:
        return False
    if right.non_resource_urls:
        return any(_covers_url(url, right.non_resource_urls[0]) for url in held.non_resource_urls)
    return (
        ("*" in held.api_groups or right.api_groups[0] in held.api_groups)
        and _covers_resource(held.resources, right.resources[0])
        # What is held for some names is not held for all.
        and (not held.resource_names or bool(right.resource_names and right.resource_names[0] in held.resource_names))
    )


def _covers_whole(held: PolicyRule, rule: PolicyRule) -> bool:
    """Whether all of a rule about resources is covered; False says no more than that it must be looked at closer."""
    return (
        not rule.non_resource_urls
        and not held.resource_names
        and ("*" in held.verbs or set(rule.verbs) <= set(held.verbs))
        and ("*" in held.api_groups or set(rule.api_groups) <= set(held.api_groups))
        and ("*" in held.resources or set(rule.resources) <= set(held.resources))
    )


def _covers_resource(held: tuple[str, ...], resource: str) -> bool:
    _, slash, subresource = resource.partition("/")
    return "*" in held or resource in held or bool(slash and f"*/{subresource}" in held)


def _covers_url(held: str, url: str) -> bool:
    return held == url or (held.endswith("*") and url.startswith(held.rstrip("*")))


def _joined(rights: Sequence[PolicyRule]) -> list[PolicyRule]:
    """The same with the verbs of equal resources in one rule."""
    joined: dict[PolicyRule, PolicyRule] = {}
    for right in rights:
        what = replace(right, verbs=())
        before = joined.get(what)
        # Other rules than single ones, and non-resource URLs, stand for themselves.
        if before is None or right.non_resource_urls:
            joined[right if right.non_resource_urls else what] = right
        else:
            joined[what] = replace(before, verbs=tuple(dict.fromkeys((*before.verbs, *right.verbs))))
    return list(joined.values())


def _shown(rule: PolicyRule) -> str:
    parts = {
        "APIGroups": rule.api_groups,
        "Resources": rule.resources,
        "NonResourceURLs": rule.non_resource_urls,
        "ResourceNames": rule.resource_names,
        "Verbs": rule.verbs,
    }
    lists = (f"{name}:[{' '.join(map(go_quoted, values))}]" for name, values in parts.items() if values)
    return f"{{{', '.join(lists)}}}"
