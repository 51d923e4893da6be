from __future__ import annotations

from types import MappingProxyType

import pytest

from controlplane.auth.escalation import EVERYTHING, missing, sentence
from controlplane.auth.rbac import Rbac
from controlplane.model.identity import UserInfo
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject

ALICE = UserInfo("alice", groups=("devs", "system:authenticated"))
PODS = PolicyRule(("get", "list"), ("",), ("pods",))


def holding(*rules: PolicyRule, namespace: str = "") -> Rbac:
    """RBAC in which alice holds these rules, in a namespace or everywhere."""
    role = Role(RoleKey(namespace, "r"), rules)
    binding = RoleBinding(BindingKey(namespace, "b"), role.key, (Subject("User", "alice"),))
    return Rbac(Policy(roles=MappingProxyType({role.key: role}), bindings=MappingProxyType({binding.key: binding})))


@pytest.mark.parametrize(
    ("held", "given"),
    [
        (PODS, PODS),
        (PolicyRule(("*",), ("*",), ("*",)), PODS),
        (PolicyRule(("get",), ("",), ("*/status",)), PolicyRule(("get",), ("",), ("pods/status",))),
        (PODS, PolicyRule(("get",), ("",), ("pods",), ("one",))),
        (PolicyRule(("get",), ("",), ("pods",), ("a", "b")), PolicyRule(("get",), ("",), ("pods",), ("b",))),
        (PolicyRule(("get",), non_resource_urls=("/a/*",)), PolicyRule(("get",), non_resource_urls=("/a/b", "/a/*"))),
        (PODS, PolicyRule()),
    ],
)
def test_what_is_held_may_be_given(held: PolicyRule, given: PolicyRule) -> None:
    """A rule covers what it allows, by names, subresources and wildcards."""
    assert () == missing(holding(held), ALICE, "", [given])


@pytest.mark.parametrize(
    ("held", "given"),
    [
        (PolicyRule(), PODS),
        (PODS, PolicyRule(("*",), ("",), ("pods",))),
        (PODS, PolicyRule(("get",), ("*",), ("pods",))),
        (PODS, PolicyRule(("get",), ("",), ("*",))),
        (PODS, PolicyRule(("get",), ("",), ("pods/log",))),
        (PolicyRule(("get",), ("",), ("pods",), ("one",)), PolicyRule(("get",), ("",), ("pods",))),
        (PolicyRule(("get",), ("",), ("pods",), ("one",)), PolicyRule(("get",), ("",), ("pods",), ("two",))),
        (PolicyRule(("*",), ("*",), ("*",)), PolicyRule(("get",), non_resource_urls=("/a",))),
        (PolicyRule(("get",), non_resource_urls=("/a/*",)), PolicyRule(("get",), non_resource_urls=("/*",))),
    ],
)
def test_what_is_not_held_may_not(held: PolicyRule, given: PolicyRule) -> None:
    """Wildcards are covered by wildcards alone, all names by none."""
    assert missing(holding(held), ALICE, "", [given])


def test_rights_in_a_namespace_are_for_that_namespace() -> None:
    """They may be given there and nowhere else."""
    rbac = holding(PODS, namespace="a")

    assert () == missing(rbac, ALICE, "a", [PODS])
    assert missing(rbac, ALICE, "b", [PODS])
    assert missing(rbac, ALICE, "", [PODS])


def test_without_rbac_nothing_is_held() -> None:
    """Nobody is taken to hold what nobody can look up."""
    assert 2 == len(missing(None, ALICE, "", [PODS]))


def test_a_rule_that_stands_for_millions_is_not_worked_out() -> None:
    """It is missing as a whole, unless it is covered as a whole."""
    many = tuple(map(str, range(200)))
    rule = PolicyRule(many, many, many)

    assert (rule,) == missing(holding(PODS), ALICE, "", [rule])
    assert () == missing(holding(*EVERYTHING), ALICE, "", [rule])


def test_the_sentence_is_kube_apiservers() -> None:
    """Verbs of one resource are in one rule, rules are sorted, non-resource URLs stand alone."""
    rights = missing(holding(), ALICE, "", [PolicyRule(("get",), non_resource_urls=("/a",)), PODS])

    assert (
        'user "alice" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently '
        'held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n{NonResourceURLs:["/a"], Verbs:["get"]}'
    ) == sentence(ALICE, rights)
