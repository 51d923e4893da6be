"""Everything that authorization decides by: RBAC objects, authorities, files, and which verdicts they have taken back.

Law: whole and immutable; a request is decided by exactly one Policy from its first question to its last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.model.auth_files import NO_FILES, AuthFiles
from controlplane.model.credentials import NOBODY, ClientAuthorities
from controlplane.model.rbac import BindingKey, Role, RoleBinding, RoleKey
from controlplane.model.revocations import Revocations


@dataclass(frozen=True, slots=True)
class Policy:
    """The RBAC objects, client CAs and files in force; `generation` grows by one with every change of any of them."""

    generation: int = 0
    roles: MappingProxyType[RoleKey, Role] = field(default_factory=lambda: MappingProxyType({}))
    bindings: MappingProxyType[BindingKey, RoleBinding] = field(default_factory=lambda: MappingProxyType({}))
    revocations: Revocations = field(default_factory=Revocations)
    authorities: ClientAuthorities = NOBODY
    files: AuthFiles = NO_FILES
