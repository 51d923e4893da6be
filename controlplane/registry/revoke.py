"""What a change of policy takes away.

In: the policy before and after, and the keys that differ. Out: the revocations that follow. Law: every verdict that the
change makes wrong is revoked; the work follows the keys.
"""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, RoleKey
from controlplane.model.revocations import Revocations, holder_ground, role_ground


def revocations(before: Policy, after: Policy, roles: Iterable[RoleKey], bindings: Iterable[BindingKey]) -> Revocations:
    """The revocations of `after`; `roles` and `bindings` are the keys whose objects are not equal in both.

    A new role or binding takes nothing away, and a binding that still binds a subject to the same role takes nothing
    away from it. A ClusterRole that changes may be part of any aggregated one, so everything is taken away.
    """
    changed = [key for key in roles if key in before.roles]
    if not all(key.namespace for key in changed):
        return Revocations(after.generation)
    lost = [role_ground(key) for key in changed]
    for key in bindings:
        old, new = before.bindings.get(key), after.bindings.get(key)
        if old is not None:
            kept = new.holders if new is not None and new.role == old.role else ()
            lost += [holder_ground(holder) for holder in old.holders if holder not in kept]
    return before.revocations.followed_by(after.generation, lost) if lost else before.revocations
