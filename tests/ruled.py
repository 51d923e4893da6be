"""Rulings without the files that make them.

In: a policy and who is believed. Out: a ruling. Law: it decides as `Rulings` would make it decide.
"""

from __future__ import annotations

from collections.abc import Callable

from controlplane.auth.authenticate import Authentication, authenticator
from controlplane.auth.authorize import PrivilegedGroups, union
from controlplane.auth.rbac import Rbac
from controlplane.auth.ruling import Ruling
from controlplane.model.policy import Policy


def ruling(policy: Policy, authentication: Authentication, clock: Callable[[], float]) -> Ruling:
    """What is in force under a policy, with RBAC alone; `clock` gives Unix seconds."""
    authenticate = authenticator(authentication, clock, policy.authorities)
    rbac = Rbac(policy)
    return Ruling(policy, authenticate, union(PrivilegedGroups(), rbac), rbac, authentication.request_header)
