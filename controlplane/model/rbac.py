"""Role-based access control objects, as rbac.authorization.k8s.io/v1 defines them.

Law: a role without rules and a binding without subjects grant nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from controlplane.model.selector import Requirement


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

    `aggregation` holds the label selectors of a ClusterRole's aggregationRule: a role is included when its labels fit
    all requirements of one of them, and every role fits an empty one. `labels` are the role's own, sorted by key.
    """

    key: RoleKey
    rules: tuple[PolicyRule, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    aggregation: tuple[tuple[Requirement, ...], ...] = ()


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
        return tuple(holder for subject in self.subjects if (holder := self.holder(subject)) is not None)

    def holder(self, subject: Subject) -> Holder | None:
        """Who one of the subjects is, None when it can name nobody."""
        if subject.kind in {"User", "Group"}:
            return Holder(subject.kind, subject.name, self.key.namespace)
        namespace = subject.namespace or self.key.namespace
        if subject.kind != "ServiceAccount" or not namespace:
            return None
        return Holder("User", f"system:serviceaccount:{namespace}:{subject.name}", self.key.namespace)


class Holder(NamedTuple):
    """Who is bound and where: kind "User" or "Group", name, and namespace of the binding, "" for the whole cluster."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What allows a request: a rule of the role that `holder` is bound to; both are None for a group's privilege."""

    holder: Holder
    binding: RoleBinding | None = None
    rule: PolicyRule | None = None
