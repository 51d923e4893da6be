from __future__ import annotations

from types import MappingProxyType

from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Holder, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.revocations import Revocations, holder_ground, role_ground
from controlplane.registry.revoke import revocations

READ, WRITE = PolicyRule(("get",), ("a.io",), ("things",)), PolicyRule(("create",), ("a.io",), ("things",))
CLUSTER, LOCAL = RoleKey("", "r"), RoleKey("n", "r")
ALICE, BOB = Subject("User", "alice"), Subject("User", "bob")
BOT = Subject("ServiceAccount", "bot", "n")
KEY = BindingKey("", "b")


def policy(generation: int, *things: Role | RoleBinding) -> Policy:
    """A policy of these."""
    roles = {thing.key: thing for thing in things if isinstance(thing, Role)}
    bindings = {thing.key: thing for thing in things if isinstance(thing, RoleBinding)}
    return Policy(generation, MappingProxyType(roles), MappingProxyType(bindings))


def followed(before: Policy, after: Policy) -> Revocations:
    """What the change from one to the other takes away."""
    roles = [key for key in {*before.roles, *after.roles} if before.roles.get(key) != after.roles.get(key)]
    keys = {*before.bindings, *after.bindings}
    return revocations(
        before, after, roles, [key for key in keys if before.bindings.get(key) != after.bindings.get(key)]
    )


def taken(*grounds: str) -> Revocations:
    """Those grounds, taken by generation 2."""
    return Revocations(0, tuple((ground, 2) for ground in sorted(grounds)))


def test_what_is_new_takes_nothing_away() -> None:
    """Roles and bindings that come, and subjects that are added, leave every verdict standing."""
    before = policy(1, RoleBinding(KEY, CLUSTER, (ALICE,)))
    after = policy(2, Role(CLUSTER, (READ,)), Role(LOCAL), RoleBinding(KEY, CLUSTER, (ALICE, BOB)))

    assert Revocations() == followed(before, after)


def test_a_binding_that_goes_takes_from_all_its_subjects() -> None:
    """Users and service accounts by the names they are known by, where they were bound."""
    before = policy(1, RoleBinding(BindingKey("n", "b"), CLUSTER, (ALICE, BOT)))

    holders = (Holder("User", "alice", "n"), Holder("User", "system:serviceaccount:n:bot", "n"))
    assert taken(*map(holder_ground, holders)) == followed(before, policy(2))


def test_a_binding_that_loses_a_subject_takes_from_that_one_alone() -> None:
    """Who stays bound goes on being known."""
    before, after = (policy(n, RoleBinding(KEY, CLUSTER, who)) for n, who in ((1, (ALICE, BOB)), (2, (BOB,))))

    assert taken(holder_ground(Holder("User", "alice", ""))) == followed(before, after)


def test_a_binding_to_another_role_takes_from_all() -> None:
    """What the former role allowed may not be in the new one."""
    before, after = (policy(n, RoleBinding(KEY, role, (ALICE,))) for n, role in ((1, CLUSTER), (2, RoleKey("", "s"))))

    assert taken(holder_ground(Holder("User", "alice", ""))) == followed(before, after)


def test_a_role_that_changes_takes_what_rests_on_it() -> None:
    """A Role is known by its own ground, also when it is deleted."""
    before = policy(1, Role(LOCAL, (READ,)))

    for after in (policy(2, Role(LOCAL, (WRITE,))), policy(2)):
        assert taken(role_ground(LOCAL)) == followed(before, after)


def test_a_cluster_role_that_changes_takes_everything() -> None:
    """It may be part of any aggregated one."""
    before, after = policy(1, Role(CLUSTER, (READ,))), policy(2, Role(CLUSTER, (WRITE,)))

    assert Revocations(floor=2) == followed(before, after)


def test_what_was_taken_before_stays_taken() -> None:
    """Revocations add up from generation to generation."""
    former = Revocations(0, (("x", 1),))
    before = Policy(1, bindings=MappingProxyType({KEY: RoleBinding(KEY, CLUSTER, (ALICE,))}), revocations=former)

    assert (*former.grounds, (holder_ground(Holder("User", "alice", "")), 2)) == followed(before, policy(2)).grounds
