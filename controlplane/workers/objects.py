"""RBAC objects as JSON has them, and back.

In: roles and bindings. Out: nested lists of texts. Law: what is decoded equals what was encoded; what is not so made is
a ValueError, TypeError or KeyError, never another object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import intern
from typing import Any, TypeVar

from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import Requirement

KeyT = TypeVar("KeyT", RoleKey, BindingKey)


def encoded_role(role: Role) -> list[object]:
    """Key, rules, labels and aggregation of a role."""
    rules = [
        [rule.verbs, rule.api_groups, rule.resources, rule.resource_names, rule.non_resource_urls]
        for rule in role.rules
    ]
    selectors = [[[each.key, each.operator, each.values] for each in selector] for selector in role.aggregation]
    return [encoded_key(role.key), rules, role.labels, selectors]


def decoded_role(value: Any) -> Role:  # noqa: ANN401 - JSON of unknown shape
    """The role of `encoded_role`."""
    key, rules, labels, aggregation = value
    return Role(
        decoded_key(RoleKey, key),
        tuple(_rule(rule) for rule in rules),
        _pairs(labels),
        tuple(tuple(_requirement(each) for each in selector) for selector in aggregation),
    )


def encoded_binding(binding: RoleBinding) -> list[object]:
    """Key, role and subjects of a binding."""
    subjects = [[subject.kind, subject.name, subject.namespace] for subject in binding.subjects]
    return [encoded_key(binding.key), encoded_key(binding.role), subjects]


def decoded_binding(value: Any) -> RoleBinding:  # noqa: ANN401 - JSON of unknown shape
    """The binding of `encoded_binding`."""
    key, role, subjects = value
    return RoleBinding(
        decoded_key(BindingKey, key), decoded_key(RoleKey, role), tuple(_subject(each) for each in subjects)
    )


def encoded_key(key: RoleKey | BindingKey) -> list[object]:
    """Namespace and name."""
    return [key.namespace, key.name]


def decoded_key(kind: Callable[[str, str], KeyT], value: Any) -> KeyT:  # noqa: ANN401 - JSON of unknown shape
    """The key of `encoded_key`."""
    namespace, name = value
    return kind(_shared(namespace), _shared(name))


def _rule(value: Any) -> PolicyRule:  # noqa: ANN401 - JSON of unknown shape
    verbs, api_groups, resources, resource_names, non_resource_urls = map(_texts, value)
    return PolicyRule(verbs, api_groups, resources, resource_names, non_resource_urls)


def _subject(value: Any) -> Subject:  # noqa: ANN401 - JSON of unknown shape
    kind, name, namespace = _texts(value)
    return Subject(kind, name, namespace)


def _requirement(value: Any) -> Requirement:  # noqa: ANN401 - JSON of unknown shape
    key, operator, values = value
    return Requirement(_shared(key), _shared(operator), _texts(values))


def _pairs(values: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((_shared(key), _shared(value)) for key, value in values)


def _texts(values: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON of unknown shape
    if not isinstance(values, list):
        raise TypeError("not a list")
    return tuple(map(_shared, values))


def _shared(text: Any) -> str:  # noqa: ANN401 - JSON of unknown shape
    """The text, once in memory however many thousand objects hold it; TypeError for anything else."""
    return intern(text)
