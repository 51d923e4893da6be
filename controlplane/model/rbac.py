"""Role-based access control objects, as rbac.authorization.k8s.io/v1 defines them.

Law: a role without rules and a binding without subjects grant nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: verbs on resources of API groups (optionally by name), or verbs on non-resource URLs."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class RoleKey:
    """A Role ("namespace" set) or a ClusterRole (namespace "")."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Role:
    """A Role, or a ClusterRole when the key has no namespace.

    `aggregation` holds the matchLabels-only label selectors of a ClusterRole's aggregationRule: a role is included when
    all pairs of one selector are among its labels. `labels` are the role's own, sorted by key.
    """

    key: RoleKey
    rules: tuple[PolicyRule, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    aggregation: tuple[tuple[tuple[str, str], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is bound: kind User, Group or ServiceAccount; `namespace` is for ServiceAccount only."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, order=True)
class BindingKey:
    """A RoleBinding ("namespace" set) or a ClusterRoleBinding (namespace "")."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A RoleBinding, or a ClusterRoleBinding when the key has no namespace; a missing role grants nothing."""

    key: BindingKey
    role: RoleKey
    subjects: tuple[Subject, ...] = ()

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Who holds the role by this binding; subjects that can name nobody are left out."""
        namespace = self.key.namespace
        found: list[Holder] = []
        for subject in self.subjects:
            if subject.kind in {"User", "Group"}:
                found.append(Holder(subject.kind, subject.name, namespace))
            elif subject.kind == "ServiceAccount" and (subject.namespace or namespace):
                account = f"system:serviceaccount:{subject.namespace or namespace}:{subject.name}"
                found.append(Holder("User", account, namespace))
        return tuple(found)


class Holder(NamedTuple):
    """Who is bound and where: kind "User" or "Group", name, and namespace of the binding, "" for the whole cluster."""

    kind: str
    name: str
    namespace: str
