from __future__ import annotations

from types import MappingProxyType

import orjson
import pytest
from now import now

from controlplane.auth.authorize import PrivilegedGroups, union
from controlplane.auth.impersonate import Impersonated, impersonate, wanted_user
from controlplane.auth.rbac import Rbac
from controlplane.model.identity import RequestInfo, UserInfo
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject

AUTHENTICATION = ("authentication.k8s.io",)
ON_NODE = (("authentication.kubernetes.io/node-name", ("n1",)),)
AGENT = UserInfo("system:serviceaccount:kube-system:agent", extra=ON_NODE)
ALICE, ROOT = UserInfo("alice"), UserInfo("root", groups=("system:masters",))
LIST_PODS = RequestInfo(is_resource_request=True, path="/api/v1/pods", verb="list", api_version="v1", resource="pods")
ROBOT_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")


def plain(resource: str, *names: str) -> PolicyRule:
    """The right to impersonate by the plain verb."""
    group = AUTHENTICATION if resource.startswith(("uids", "userextras")) else ("",)
    return PolicyRule(("impersonate",), group, (resource,), names)


def mode(name: str, resource: str, *names: str) -> PolicyRule:
    """The right to impersonate by a mode."""
    return PolicyRule((f"impersonate:{name}",), AUTHENTICATION, (resource,), names)


def on(name: str) -> PolicyRule:
    """The right to list pods in a mode."""
    return PolicyRule((f"impersonate-on:{name}:list",), ("",), ("pods",))


def tried(requestor: UserInfo, wanted: UserInfo, *rules: PolicyRule) -> Impersonated | str:
    """What comes of it when the requestor has a ClusterRole with these rules; a refusal is its message."""
    role = Role(RoleKey("", "r"), rules)
    bound = RoleBinding(BindingKey("", "b"), role.key, (Subject("User", requestor.name),))
    rbac = Rbac(Policy(1, MappingProxyType({role.key: role}), MappingProxyType({bound.key: bound})))
    outcome = now(impersonate(requestor, wanted, LIST_PODS, union(PrivilegedGroups(), rbac)))
    return outcome if isinstance(outcome, Impersonated) else str(orjson.loads(outcome.body)["message"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("authorization", "Bearer x"), ("impersonate_user", "bob"), ("impersonate-else", "x")], None),
        ([("impersonate-user", "")], None),
        ([("impersonate-user", "bob")], UserInfo("bob")),
        ([("impersonate-user", "bob"), ("impersonate-user", "carol")], UserInfo("bob")),
        ([("impersonate-user", ""), ("impersonate-user", "carol")], None),
        ([("impersonate-user", "b"), ("impersonate-uid", ""), ("impersonate-uid", "7")], UserInfo("b")),
        (
            [("impersonate-user", "b"), ("impersonate-group", "g,h"), ("impersonate-group", "i")],
            UserInfo("b", groups=("g,h", "i")),
        ),
        (
            [("impersonate-user", "b"), ("impersonate-extra-b%2fc", "2"), ("impersonate-uid", "7")],
            UserInfo("b", "7", extra=(("b/c", ("2",)),)),
        ),
        ([("impersonate-user", "b"), ("impersonate-extra-%zz", "1")], UserInfo("b", extra=(("%zz", ("1",)),))),
    ],
)  # fmt: skip
def test_headers_say_who_is_wanted(headers: list[tuple[str, str]], expected: UserInfo | None) -> None:
    """The first line of name and UID counts, each other one is a group or a value; keys of extras are decoded."""
    assert expected == wanted_user(headers)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (("impersonate-group", 'g"'), r'UID:"", Groups:[]string{"g\""}, Extra:map[string][]string(nil)'),
        (("impersonate-uid", "7"), 'UID:"7", Groups:[]string(nil), Extra:map[string][]string(nil)'),
        (("impersonate-extra-k", "v"), 'UID:"", Groups:[]string(nil), Extra:map[string][]string{"k":[]string{"v"}}'),
    ],
)
def test_parts_of_a_user_without_a_name_are_a_bad_request(header: tuple[str, str], shown: str) -> None:
    """Groups, a UID or extras without a user name are refused in kube-apiserver's words."""
    expected = f'requested &user.DefaultInfo{{Name:"", {shown}}} without impersonating a user name'

    assert expected == wanted_user([header])


def test_a_user_without_a_name_is_repeated_only_when_short() -> None:
    """What anybody can have answered and logged is no longer than a few kilobytes."""
    told = wanted_user([("impersonate-group", 500 * "\udcff")] * 100)

    assert told == "requested what is too long to be repeated without impersonating a user name"


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        ("impersonate-user", "b\udcff", "is not UTF-8"),
        ("impersonate-uid", "\udcff", "is not UTF-8"),
        ("impersonate-group", "\udcff", "is not UTF-8"),
        ("impersonate-extra-k", "\udcff", "is not UTF-8"),
        ("impersonate-extra-%ff", "v", "is not UTF-8"),
        ("impersonate-group", "a\tb", "holds a control character"),
    ],
)
def test_nobody_is_impersonated_who_cannot_be_told_to_a_backend(header: str, value: str, reason: str) -> None:
    """What no header can carry is a bad request, whatever the requestor may."""
    assert f"a part of the impersonated user {reason}" == wanted_user([(header, value), ("impersonate-user", "bob")])


@pytest.mark.parametrize(
    ("wanted", "rules", "user"),
    [
        (UserInfo("bob"), (plain("users"),), UserInfo("bob", groups=("system:authenticated",))),
        (UserInfo("bob"), (plain("users", "bob"),), UserInfo("bob", groups=("system:authenticated",))),
        (
            UserInfo("bob", "7", ("g", "h"), (("k", ("v",)),)),
            (plain("users"), plain("uids", "7"), plain("groups", "g", "h"), plain("userextras/k", "v")),
            UserInfo("bob", "7", ("g", "h", "system:authenticated"), (("k", ("v",)),)),
        ),
        (
            UserInfo("bob", groups=("system:unauthenticated",)),
            (plain("users"), plain("groups")),
            UserInfo("bob", groups=("system:unauthenticated",)),
        ),
        (
            UserInfo("bob", groups=("system:authenticated",)),
            (plain("users"), plain("groups")),
            UserInfo("bob", groups=("system:authenticated",)),
        ),
        (
            UserInfo("system:anonymous"),
            (plain("users"),),
            UserInfo("system:anonymous", groups=("system:unauthenticated",)),
        ),
        (
            UserInfo("system:serviceaccount:ns:robot"),
            (plain("serviceaccounts", "robot"),),
            UserInfo("system:serviceaccount:ns:robot", groups=ROBOT_GROUPS),
        ),
        (
            UserInfo("system:serviceaccount:ns:robot", groups=("g",)),
            (plain("serviceaccounts"), plain("groups")),
            UserInfo("system:serviceaccount:ns:robot", groups=("g", "system:authenticated")),
        ),
        (
            UserInfo("system:serviceaccount:ns:a:b"),
            (plain("users"),),
            UserInfo("system:serviceaccount:ns:a:b", groups=("system:authenticated",)),
        ),
        (UserInfo("system:node:n1"), (plain("users"),), UserInfo("system:node:n1", groups=("system:authenticated",))),
    ],
)
def test_the_plain_verb_suffices_for_every_part(
    wanted: UserInfo, rules: tuple[PolicyRule, ...], user: UserInfo
) -> None:
    """Who may impersonate each part of a user becomes that user, with the groups that come by themselves."""
    assert Impersonated(user, "") == tried(ALICE, wanted, *rules)


@pytest.mark.parametrize(
    ("wanted", "rules"),
    [
        (UserInfo("bob"), (plain("users", "carol"),)),
        (UserInfo("bob", "7"), (plain("users"), plain("uids", "8"))),
        (UserInfo("bob", groups=("g", "h")), (plain("users"), plain("groups", "g"))),
        (UserInfo("bob", groups=("g", "")), (plain("users"), plain("groups", "g"))),
        (UserInfo("bob", extra=(("k", ("v", "w")),)), (plain("users"), plain("userextras/k", "v"))),
        (UserInfo("bob", extra=(("k", ("v",)),)), (plain("users"), plain("userextras/l"))),
        (UserInfo("system:serviceaccount:ns:robot"), (plain("users"),)),
    ],
)
def test_one_part_that_is_not_allowed_refuses_the_whole(wanted: UserInfo, rules: tuple[PolicyRule, ...]) -> None:
    """A user any part of whom may not be impersonated is refused."""
    assert isinstance(tried(ALICE, wanted, *rules), str)


@pytest.mark.parametrize(
    ("requestor", "wanted", "rules", "expected"),
    [
        (
            ALICE,
            UserInfo("bob"),
            (on("user-info"), mode("user-info", "users", "bob")),
            Impersonated(UserInfo("bob", groups=("system:authenticated",)), "impersonate:user-info"),
        ),
        (
            ALICE,
            UserInfo("bob", groups=("a", "b", "c", "d")),
            (on("user-info"), mode("user-info", "users"), mode("user-info", "groups", "*")),
            Impersonated(UserInfo("bob", groups=("a", "b", "c", "d", "system:authenticated")), "impersonate:user-info"),
        ),
        (
            ALICE,
            UserInfo("bob", extra=(("a.io/k", ("1", "2", "3", "4")),)),
            (on("user-info"), mode("user-info", "users"), mode("user-info", "userextras/*", "*")),
            Impersonated(
                UserInfo("bob", groups=("system:authenticated",), extra=(("a.io/k", ("1", "2", "3", "4")),)),
                "impersonate:user-info",
            ),
        ),
        (
            ALICE,
            UserInfo("system:serviceaccount:ns:robot"),
            (on("serviceaccount"), mode("serviceaccount", "serviceaccounts", "robot")),
            Impersonated(UserInfo("system:serviceaccount:ns:robot", groups=ROBOT_GROUPS), "impersonate:serviceaccount"),
        ),
        (
            ALICE,
            UserInfo("system:node:n1"),
            (on("arbitrary-node"), mode("arbitrary-node", "nodes", "n1")),
            Impersonated(
                UserInfo("system:node:n1", groups=("system:nodes", "system:authenticated")),
                "impersonate:arbitrary-node",
            ),
        ),
        (
            AGENT,
            UserInfo("system:node:n1"),
            (on("associated-node"), mode("associated-node", "nodes", "*")),
            Impersonated(
                UserInfo("system:node:n1", groups=("system:nodes", "system:authenticated")),
                "impersonate:associated-node",
            ),
        ),
        (
            ROOT,
            UserInfo("bob", groups=("system:masters",)),
            (),
            Impersonated(UserInfo("bob", groups=("system:masters", "system:authenticated")), ""),
        ),
    ],
)
def test_a_mode_suffices_for_what_it_is_about(
    requestor: UserInfo, wanted: UserInfo, rules: tuple[PolicyRule, ...], expected: Impersonated
) -> None:
    """Constrained permissions allow what they name; system:masters can only be had by the plain verb."""
    assert expected == tried(requestor, wanted, *rules)


@pytest.mark.parametrize(
    ("requestor", "wanted", "rules"),
    [
        (ALICE, UserInfo("bob"), (mode("user-info", "users"),)),
        (ALICE, UserInfo("bob"), (on("user-info"),)),
        (ALICE, UserInfo("system:node:n1"), (on("associated-node"), mode("associated-node", "nodes"))),
        (AGENT, UserInfo("system:node:n2"), (on("associated-node"), mode("associated-node", "nodes"))),
        (AGENT, UserInfo("system:node:n1"), (on("associated-node"), mode("associated-node", "nodes", "n1"))),
        (ALICE, UserInfo("system:node:n1"), (on("user-info"), mode("user-info", "users"))),
        (ALICE, UserInfo("system:node:n1", "7"), (on("arbitrary-node"), mode("arbitrary-node", "nodes"))),
    ],
)
def test_a_mode_reaches_no_further(requestor: UserInfo, wanted: UserInfo, rules: tuple[PolicyRule, ...]) -> None:
    """Half of a constrained permission, or one of another mode, or for another node, is none."""
    assert isinstance(tried(requestor, wanted, *rules), str)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (
            UserInfo("bob"),
            (
                'pods is forbidden: User "alice" cannot impersonate-on:user-info:list resource "pods" in API group ""'
                " at the cluster scope"
            ),
        ),
        (
            UserInfo("system:serviceaccount:ns:robot"),
            (
                'pods is forbidden: User "alice" cannot impersonate-on:serviceaccount:list resource "pods"'
                ' in API group "" at the cluster scope'
            ),
        ),
    ],
)
def test_the_refusal_is_that_of_the_first_mode(wanted: UserInfo, reason: str) -> None:
    """Who may impersonate in no way is told what the narrowest way lacks, as kube-apiserver tells it."""
    assert reason == tried(ALICE, wanted)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (UserInfo("bob", groups=("",)), "impersonating the empty string group is not allowed"),
        (UserInfo("bob", groups=("system:masters",)), "impersonating the system:masters group is not allowed"),
        (UserInfo("bob", extra=(("", ("v",)),)), "impersonating the empty string key in extra is not allowed"),
        (
            UserInfo("bob", extra=(("k", ("v",)),)),
            (
                'impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "k": '
                'must be a domain-prefixed path (such as "acme.io/foo")'
            ),
        ),
        (
            UserInfo("bob", extra=(("a..io/ ", ("v",)),)),
            (
                "impersonating an invalid key in extra is not allowed: "
                '[extra.key: Invalid value: "a..io": a lowercase RFC 1123 subdomain must consist of lower case '
                "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
                "'example.com', regex used for validation is "
                "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), "
                'extra.key: Invalid value: " ": Invalid path (regex used for validation is '
                "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')]"
            ),
        ),
        (UserInfo("bob", extra=(("a.io/K", ("v",)),)), "impersonating a non-lowercase key in extra is not allowed:"),
        (UserInfo("bob", extra=(("a.io/k", ("",)),)), "impersonating the empty string value in extra is not allowed"),
    ],
)
def test_constrained_impersonation_refuses_what_looks_like_a_trick(wanted: UserInfo, reason: str) -> None:
    """A mode's permission for everything still excludes system:masters, empty groups and ill-formed extras."""
    anything = PolicyRule(("impersonate:user-info", "impersonate-on:user-info:list"), ("*",), ("*",))

    refusal = tried(ALICE, wanted, anything)

    assert isinstance(refusal, str)
    assert f"at the cluster scope: {reason}" in refusal
