from __future__ import annotations

from types import MappingProxyType

import pytest
from now import now

from controlplane.auth.authorize import Authorizer, Opinion, PrivilegedGroups, union
from controlplane.auth.rbac import Rbac, rule_allows
from controlplane.auth.requestinfo import request_info
from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Grant, Holder, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.model.selector import Requirement

ALICE = UserInfo("alice", groups=("dev", "system:authenticated"))
ROBOT = UserInfo("system:serviceaccount:n:robot")
READ_PODS = PolicyRule(("get", "list"), ("",), ("pods",))


def asked(method: str, target: str) -> RequestInfo:
    """The RequestInfo of a readable request."""
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    return info


def policy_of(*objects: Role | RoleBinding) -> Policy:
    """A policy of these objects."""
    return Policy(
        1,
        MappingProxyType({each.key: each for each in objects if isinstance(each, Role)}),
        MappingProxyType({each.key: each for each in objects if isinstance(each, RoleBinding)}),
    )


def role(name: str, *rules: PolicyRule, namespace: str = "") -> Role:
    """A Role, or a ClusterRole without a namespace."""
    return Role(RoleKey(namespace, name), rules)


def binding(name: str, bound: Role | RoleKey, *subjects: Subject, namespace: str = "") -> RoleBinding:
    """A RoleBinding, or a ClusterRoleBinding without a namespace."""
    return RoleBinding(BindingKey(namespace, name), bound if isinstance(bound, RoleKey) else bound.key, subjects)


GET_POD = asked("GET", "/api/v1/namespaces/n/pods/p")
LIST_ALL_PODS = asked("GET", "/api/v1/pods")
USER = Subject("User", "alice")
GROUP = Subject("Group", "dev")


@pytest.mark.parametrize(
    ("rule", "method", "target", "allowed"),
    [
        (READ_PODS, "GET", "/api/v1/namespaces/n/pods/p", True),
        (READ_PODS, "GET", "/api/v1/pods", True),
        (READ_PODS, "GET", "/api/v1/pods?watch=1", False),
        (READ_PODS, "DELETE", "/api/v1/namespaces/n/pods/p", False),
        (READ_PODS, "GET", "/api/v1/namespaces/n/pods/p/log", False),
        (READ_PODS, "GET", "/apis/x.io/v1/pods", False),
        (READ_PODS, "GET", "/pods", False),
        (PolicyRule(("*",), ("*",), ("*",)), "GET", "/apis/x.io/v1/pods/p/log", True),
        (PolicyRule(("*",), ("*",), ("*",)), "OPTIONS", "/api/v1/pods", True),
        (PolicyRule(("*",), ("*",), ("*",)), "GET", "/metrics", False),
        (PolicyRule(("g*",), ("*",), ("*",)), "GET", "/api/v1/pods", False),
        (PolicyRule(("*",), ("x*",), ("*",)), "GET", "/apis/x.io/v1/pods", False),
        (PolicyRule(("*",), ("*",), ("po*",)), "GET", "/api/v1/pods", False),
        (PolicyRule(("*",), ("*",), ("pods/*",)), "GET", "/api/v1/pods/p/log", False),
        (PolicyRule(("get",), ("",), ("pods/log",)), "GET", "/api/v1/namespaces/n/pods/p/log", True),
        (PolicyRule(("get",), ("",), ("pods/log",)), "GET", "/api/v1/namespaces/n/pods/p", False),
        (PolicyRule(("get",), ("",), ("*/log",)), "GET", "/api/v1/namespaces/n/pods/p/log", True),
        (PolicyRule(("get",), ("",), ("*/log",)), "GET", "/api/v1/namespaces/n/pods/p/status", False),
        (PolicyRule(("get",), ("",), ("*/",)), "GET", "/api/v1/namespaces/n/pods/p", False),
        (PolicyRule(("get",), ("a", ""), ("pods",), ("p", "q")), "GET", "/api/v1/namespaces/n/pods/p", True),
        (PolicyRule(("get",), ("",), ("pods",), ("q",)), "GET", "/api/v1/namespaces/n/pods/p", False),
        (PolicyRule(("get",), ("",), ("pods",), ("*",)), "GET", "/api/v1/namespaces/n/pods/p", False),
        (PolicyRule(("list",), ("",), ("pods",), ("p",)), "GET", "/api/v1/namespaces/n/pods", False),
        (PolicyRule(("list",), ("",), ("pods",), ("p",)), "GET", "/api/v1/pods?fieldSelector=metadata.name=p", True),
        (PolicyRule(("create",), ("",), ("pods",), ("p",)), "POST", "/api/v1/namespaces/n/pods", False),
        (PolicyRule(("deletecollection",), ("",), ("pods",)), "DELETE", "/api/v1/namespaces/n/pods", True),
        (PolicyRule(("delete",), ("",), ("pods",)), "DELETE", "/api/v1/namespaces/n/pods", False),
        (PolicyRule(("get",), non_resource_urls=("/metrics",)), "GET", "/metrics", True),
        (PolicyRule(("get",), non_resource_urls=("/metrics",)), "GET", "/metrics/", False),
        (PolicyRule(("get",), non_resource_urls=("/metrics",)), "POST", "/metrics", False),
        (PolicyRule(("get",), non_resource_urls=("/api/*",)), "GET", "/api/v1", True),
        (PolicyRule(("get",), non_resource_urls=("/api/*",)), "GET", "/api", False),
        (PolicyRule(("get",), non_resource_urls=("/a*",)), "GET", "/apis", True),
        (PolicyRule(("get",), non_resource_urls=("/a/*/b",)), "GET", "/a/x/b", False),
        (PolicyRule(("*",), non_resource_urls=("*",)), "PUT", "/whatever", True),
        (PolicyRule(("*",), non_resource_urls=("*",)), "GET", "/api/v1/pods", False),
        (PolicyRule(), "GET", "/api/v1/pods", False),
    ],
)
def test_rules_match_to_the_letter(rule: PolicyRule, method: str, target: str, *, allowed: bool) -> None:
    """A rule grants exactly what its verbs, groups, resources, names or URLs say, with the wildcards of RBAC only."""
    actual = rule_allows(rule, asked(method, target))

    assert allowed is actual


READER = role("reader", READ_PODS)
LOCAL = role("reader", READ_PODS, namespace="n")


@pytest.mark.parametrize(
    ("bound", "info", "verdict"),
    [
        (binding("b", READER, USER), LIST_ALL_PODS, Verdict.ALLOW),
        (binding("b", READER, GROUP), GET_POD, Verdict.ALLOW),
        (binding("b", READER, USER, namespace="n"), GET_POD, Verdict.ALLOW),
        (binding("b", READER, USER, namespace="n"), LIST_ALL_PODS, Verdict.NO_OPINION),
        (binding("b", READER, USER, namespace="m"), GET_POD, Verdict.NO_OPINION),
        (binding("b", LOCAL, GROUP, namespace="n"), GET_POD, Verdict.ALLOW),
        (binding("b", READER, Subject("User", "bob"), USER), GET_POD, Verdict.ALLOW),
        (binding("b", READER, Subject("User", "dev")), GET_POD, Verdict.NO_OPINION),
        (binding("b", READER, Subject("Group", "alice")), GET_POD, Verdict.NO_OPINION),
        (binding("b", READER, Subject("Node", "alice")), GET_POD, Verdict.NO_OPINION),
        (binding("b", READER), GET_POD, Verdict.NO_OPINION),
    ],
)
def test_bindings_hold_for_their_subjects_where_they_are(
    bound: RoleBinding, info: RequestInfo, verdict: Verdict
) -> None:
    """A ClusterRoleBinding holds everywhere, a RoleBinding in its namespace, each for its own users and groups."""
    actual = now(Rbac(policy_of(READER, LOCAL, bound)).authorize(ALICE, info))

    assert (verdict, "") == (actual.verdict, actual.reason)


@pytest.mark.parametrize(
    ("subject", "namespace", "verdict"),
    [
        (Subject("ServiceAccount", "robot", "n"), "", Verdict.ALLOW),
        (Subject("ServiceAccount", "robot", "n"), "n", Verdict.ALLOW),
        (Subject("ServiceAccount", "robot"), "n", Verdict.ALLOW),
        (Subject("ServiceAccount", "robot"), "", Verdict.NO_OPINION),
        (Subject("ServiceAccount", "robot", "m"), "n", Verdict.NO_OPINION),
        (Subject("User", "system:serviceaccount:n:robot"), "", Verdict.ALLOW),
    ],
)
def test_service_accounts_are_bound_by_namespace_and_name(subject: Subject, namespace: str, verdict: Verdict) -> None:
    """A ServiceAccount without a namespace is one of the RoleBinding's own, and nobody in a ClusterRoleBinding."""
    policy = policy_of(READER, binding("b", READER, subject, namespace=namespace))

    assert verdict is now(Rbac(policy).authorize(ROBOT, GET_POD)).verdict


def test_a_missing_role_grants_nothing_and_is_told() -> None:
    """Every bound role that does not exist is named once in the reason, as kube-apiserver names it."""
    policy = policy_of(
        binding("a", RoleKey("", "gone"), USER),
        binding("b", RoleKey("", "gone"), GROUP),
        binding("c", RoleKey("n", "lost"), USER, namespace="n"),
        binding("d", RoleKey("m", "far"), USER, namespace="m"),
    )

    actual = now(Rbac(policy).authorize(ALICE, GET_POD))

    gone = 'clusterrole.rbac.authorization.k8s.io "gone" not found'
    lost = 'role.rbac.authorization.k8s.io "lost" not found'
    assert Opinion(Verdict.NO_OPINION, f"RBAC: [{gone}, {lost}]") == actual


def test_one_missing_role_is_told_without_brackets() -> None:
    """A single missing role is the whole reason."""
    actual = now(Rbac(policy_of(binding("a", RoleKey("", "x"), USER))).authorize(ALICE, GET_POD))

    assert Opinion(Verdict.NO_OPINION, 'RBAC: clusterrole.rbac.authorization.k8s.io "x" not found') == actual


def test_a_missing_role_does_not_deny_what_another_grants() -> None:
    """A binding to nothing takes no right away."""
    bound = binding("b", READER, USER)
    policy = policy_of(READER, binding("a", RoleKey("", "gone"), USER), bound)

    expected = Grant(Holder("User", "alice", ""), bound, READER.rules[0])
    assert Opinion(Verdict.ALLOW, grant=expected) == now(Rbac(policy).authorize(ALICE, GET_POD))


def selecting(name: str, *labels: tuple[str, str], carries: tuple[tuple[str, str], ...] = ()) -> Role:
    """A ClusterRole whose aggregationRule has one selector, with a rule of its own that must not count."""
    everything = PolicyRule(("*",), ("*",), ("*",))
    return Role(
        RoleKey("", name),
        (everything,),
        labels=carries,
        aggregation=(tuple(Requirement(key, "In", (value,)) for key, value in labels),),
    )


def test_aggregated_roles_hold_the_rules_of_what_they_select() -> None:
    """An aggregationRule takes rules from selected ClusterRoles only, through others and around a cycle."""
    policy = policy_of(
        selecting("outer", ("to", "outer"), carries=(("to", "inner"),)),
        selecting("inner", ("to", "inner"), carries=(("to", "outer"),)),
        Role(RoleKey("", "leaf"), (READ_PODS,), labels=(("a", "b"), ("to", "inner"))),
        Role(RoleKey("n", "local"), (PolicyRule(("delete",), ("",), ("pods",)),), labels=(("to", "inner"),)),
        Role(RoleKey("", "other"), (PolicyRule(("patch",), ("",), ("pods",)),), labels=(("to", "other"),)),
        binding("b", RoleKey("", "outer"), USER),
    )
    rbac = Rbac(policy)

    target = "/api/v1/namespaces/n/pods/p"
    expected = [Verdict.ALLOW, Verdict.NO_OPINION, Verdict.NO_OPINION, Verdict.NO_OPINION]
    actual = [now(rbac.authorize(ALICE, asked(method, target))).verdict for method in ("GET", "DELETE", "PATCH", "PUT")]
    assert expected == actual


def test_all_labels_of_a_selector_are_needed() -> None:
    """A role that carries one of two wanted labels is not selected."""
    policy = policy_of(
        selecting("sum", ("a", "1"), ("b", "2")),
        Role(RoleKey("", "leaf"), (READ_PODS,), labels=(("a", "1"),)),
        binding("b", RoleKey("", "sum"), USER),
    )

    assert Verdict.NO_OPINION is now(Rbac(policy).authorize(ALICE, GET_POD)).verdict


def verdicts(rbac: Rbac) -> list[bool]:
    """Whether alice, bob and a member of dev may read a pod."""
    users = (UserInfo("alice"), UserInfo("bob"), UserInfo("carol", groups=("dev",)))
    return [now(rbac.authorize(user, GET_POD)).verdict is Verdict.ALLOW for user in users]


def test_a_later_policy_is_followed_binding_by_binding() -> None:
    """Added, changed and removed bindings and roles count at once, and the Rbac before stays as it was."""
    first = Rbac(policy_of(READER, binding("a", READER, USER), binding("g", READER, GROUP)))
    second = first.following(policy_of(READER, binding("a", READER, Subject("User", "bob"))))
    third = second.following(policy_of(binding("a", READER, Subject("User", "bob"))))
    fourth = third.following(policy_of(READER, binding("a", READER, USER, Subject("User", "bob"))))

    expected = [[True, False, True], [False, True, False], [False, False, False], [True, True, False]]
    assert expected == [verdicts(rbac) for rbac in (first, second, third, fourth)]


def test_an_unchanged_set_of_bindings_is_not_indexed_again() -> None:
    """A policy with the identical mapping of bindings shares the index."""
    policy = policy_of(READER, binding("a", READER, USER))
    first = Rbac(policy)

    second = first.following(Policy(2, MappingProxyType({}), policy.bindings))

    assert first._index is second._index
    assert verdicts(second) == [False, False, False]


def test_aggregated_rules_follow_the_roles() -> None:
    """A selected role that loses its label takes its rules out of the aggregated role with the next policy."""
    outer, bound = selecting("outer", ("to", "outer")), binding("b", RoleKey("", "outer"), USER)
    leaf = Role(RoleKey("", "leaf"), (READ_PODS,), labels=(("to", "outer"),))
    first = Rbac(policy_of(outer, leaf, bound))
    before = verdicts(first)

    second = first.following(policy_of(outer, Role(leaf.key, leaf.rules), bound))

    assert [before, verdicts(second)] == [[True, False, False], [False, False, False]]


class Fixed:
    """An authorizer that always says the same."""

    def __init__(self, verdict: Verdict, reason: str = "") -> None:
        self.opinion = Opinion(verdict, reason)

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:  # noqa: ARG002 - the protocol passes both
        """The fixed opinion."""
        return self.opinion


SILENT = Fixed(Verdict.NO_OPINION, "a")


@pytest.mark.parametrize(
    ("authorizers", "expected"),
    [
        ((), Opinion(Verdict.DENY, silent=True)),
        ((SILENT, Fixed(Verdict.NO_OPINION), SILENT), Opinion(Verdict.DENY, "a\na", silent=True)),
        ((SILENT, Fixed(Verdict.ALLOW)), Opinion(Verdict.ALLOW)),
        ((Fixed(Verdict.DENY, "no"), Fixed(Verdict.ALLOW)), Opinion(Verdict.DENY, "no")),
        ((Fixed(Verdict.ALLOW), Fixed(Verdict.DENY)), Opinion(Verdict.ALLOW)),
    ],
)  # fmt: skip
def test_the_first_authorizer_with_an_opinion_decides(authorizers: tuple[Authorizer, ...], expected: Opinion) -> None:
    """A union denies when it is empty or nobody has an opinion, and stops at the first ALLOW or DENY."""
    actual = now(union(*authorizers).authorize(ALICE, GET_POD))

    assert expected == actual


def test_an_opinion_denies_unless_it_says_otherwise() -> None:
    """The zero value of an opinion is a denial."""
    assert Verdict.DENY is Opinion().verdict


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [(("system:masters",), Verdict.ALLOW), (("system:master", "x"), Verdict.NO_OPINION), ((), Verdict.NO_OPINION)],
)
def test_members_of_system_masters_may_do_anything(groups: tuple[str, ...], verdict: Verdict) -> None:
    """Membership in system:masters is enough; for others the privileged group says nothing."""
    actual = now(PrivilegedGroups().authorize(UserInfo("x", groups=groups), GET_POD))

    assert (verdict, verdict is Verdict.ALLOW) == (actual.verdict, actual.grant is not None)


BOB = Subject("User", "bob")
A, B, C, D = (binding(name, READER, USER if name == "b" else BOB) for name in "abcd")


@pytest.mark.parametrize(
    "bindings",
    [(A, B, C, D), (A, C, D), (B,), (), (D, C, B, A), (C, B), (A, B), (binding("b", READER, BOB), A), (A, D, C)],
)
@pytest.mark.parametrize("before", [(), (A, B, C), (C, B, A), (D,)])
def test_following_a_policy_comes_to_the_same_as_starting_with_it(
    before: tuple[RoleBinding, ...], bindings: tuple[RoleBinding, ...]
) -> None:
    """Whatever was added, removed, changed or put in another order, the index is the one made from scratch."""
    policy = policy_of(READER, *bindings)

    actual = Rbac(policy_of(READER, *before)).following(policy)

    assert Rbac(policy)._index == actual._index
