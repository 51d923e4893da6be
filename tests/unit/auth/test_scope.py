from __future__ import annotations

from math import inf

import pytest

from controlplane.auth.evidence import Evidence
from controlplane.auth.requestinfo import request_info
from controlplane.auth.scope import in_words, validity_of, why_alone
from controlplane.model.identity import RequestInfo, Validity
from controlplane.model.rbac import BindingKey, Grant, Holder, PolicyRule, RoleBinding, RoleKey
from controlplane.model.revocations import holder_ground, role_ground

EVERYWHERE, IN_N = Holder("User", "alice", ""), Holder("User", "alice", "n")
ROLE = RoleKey("", "r")
BINDING = RoleBinding(BindingKey("", "b"), ROLE)
THINGS = PolicyRule(("get", "list", "create"), ("a.io",), ("things", "things/status"))
ANYTHING = PolicyRule(("*",), ("*",), ("*",))
ONE = PolicyRule(("get",), ("a.io",), ("things",), resource_names=("t",))
PATHS = PolicyRule(("get",), non_resource_urls=("*",))
LIST, THING = "/apis/a.io/v1/things", "/apis/a.io/v1/namespaces/n/things/t"
NOTHING = Evidence()


def validity(
    target: str,
    rule: PolicyRule | None = ANYTHING,
    *,
    method: str = "GET",
    holder: Holder = EVERYWHERE,
    evidence: Evidence = NOTHING,
    until: float = inf,
) -> Validity | None:
    """The validity of a request that the rule allowed; without a rule it was a group's privilege."""
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    return validity_of(target, info, evidence, until, Grant(holder, BINDING if rule else None, rule))


@pytest.mark.parametrize(
    ("target", "rule", "holder", "scope"),
    [
        (LIST, None, EVERYWHERE, "*"),
        (LIST, ANYTHING, EVERYWHERE, "list a.io/v1"),
        (f"{LIST}?watch=true", ANYTHING, EVERYWHERE, "watch a.io/v1"),
        (THING, ANYTHING, EVERYWHERE, "get a.io/v1"),
        (THING, ANYTHING, IN_N, "get a.io/v1 n"),
        (THING, THINGS, EVERYWHERE, "get a.io/v1 n things/"),
        (THING, THINGS, IN_N, "get a.io/v1 n things/"),
        (f"{THING}/status", THINGS, EVERYWHERE, "get a.io/v1 n things/status"),
        (THING, ONE, EVERYWHERE, "get a.io/v1 n things/ t"),
        ("/api/v1/namespaces/n", ANYTHING, IN_N, "get /v1 n"),
        ("/version", PATHS, EVERYWHERE, "path get /version"),
    ],
)
def test_a_scope_is_as_wide_as_the_rule_and_no_wider(
    target: str, rule: PolicyRule | None, holder: Holder, scope: str
) -> None:
    """A privilege reaches everything, a rule about all resources as far as it is bound, others one collection."""
    found = validity(target, rule, holder=holder)

    assert found is not None
    assert scope == found.scope


@pytest.mark.parametrize(
    "target",
    [
        "/",
        f"{LIST}/",
        f"{LIST}/a%20b",
        f"{LIST}/a;b",
        f"{LIST}?fieldSelector=metadata.name%3Dt",
        f"{LIST}?x=\u00e9",
        "/apis/a.io/v1/watch/namespaces/n/things/t",
    ],
)
def test_what_two_readers_might_read_differently_is_decided_alone(target: str) -> None:
    """Escapes, parameters, names from selectors: allowed this time, and nothing said about the next."""
    assert validity(target) is None


@pytest.mark.parametrize(
    ("evidence", "kept"),
    [
        (NOTHING, True),
        (Evidence(headers=(("authorization", "Bearer t"),)), True),
        (Evidence(headers=(("authorization", "bearer t"),)), True),
        (Evidence("pem", certificate_verified=True), True),
        (Evidence("pem", certificate_verified=True, headers=(("authorization", "Bearer t"),)), False),
        (Evidence(headers=(("authorization", "Bearer t"), ("authorization", "Bearer u"))), False),
        (Evidence(headers=(("authorization", "Bearer t,Bearer u"),)), False),
        (Evidence(headers=(("authorization", "Bearer t u"),)), False),
        (Evidence(headers=(("authorization", " Bearer t"),)), False),
        (Evidence(headers=(("authorization", "Basic t"),)), False),
        (Evidence(headers=(("authorization", ""),)), False),
        (Evidence(headers=(("upgrade", "websocket"),)), False),
        (Evidence("pem", certificate_verified=True, asserted=(("x-remote-user", "alice"),)), False),
    ],
)
def test_only_what_shows_one_plain_credential_is_kept(evidence: Evidence, kept: bool) -> None:
    """One certificate, one bearer token or nothing; whatever else is shown might decide another time."""
    assert kept == (validity(LIST, evidence=evidence, until=5.0) is not None)


def test_a_certificate_whose_end_is_not_known_is_not_kept() -> None:
    """A certificate without a name leaves the user anonymous, and still ends one day."""
    assert validity(LIST, evidence=Evidence("pem", certificate_verified=True)) is None


def test_a_validity_says_what_it_rests_on_and_when_it_ends() -> None:
    """The holder and the role of the binding, and the end of the credential."""
    expected = Validity("list a.io/v1  things/", (holder_ground(EVERYWHERE), role_ground(ROLE)), 7.0)

    assert expected == validity(LIST, THINGS, until=7.0)


def test_without_a_grant_nothing_is_kept() -> None:
    """An authorizer that does not say why it allows has said nothing about other requests."""
    info = request_info("GET", LIST)
    assert isinstance(info, RequestInfo)

    assert validity_of(LIST, info, NOTHING, inf, None) is None


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("*", "whatever can be asked"),
        ("get a.io/v1", "get of every resource of a.io/v1, in all namespaces"),
        ("get /v1 ns", "get of every resource of v1 in the namespace ns"),
        ("list a.io/v1 ns pods/", "list of every object among pods of a.io/v1 in the namespace ns"),
        ("get a.io/v1  pods/log p", "get of p among pods/log of a.io/v1, where no namespace is named"),
        ("path get /apis", "get of the path /apis"),
    ],
)
def test_a_scope_is_told_in_words(scope: str, words: str) -> None:
    """Every kind of scope, from the widest to the narrowest."""
    assert words == in_words(scope)


def test_a_decision_for_one_request_alone_has_a_reason() -> None:
    """And one that reaches further has none."""
    info = request_info("GET", LIST)
    assert isinstance(info, RequestInfo)
    grant = Grant(Holder("User", "alice", ""), BINDING, PolicyRule(resources=("*",)))

    assert why_alone(LIST, info, NOTHING, inf, grant) == ""
    assert "no rule" in why_alone(LIST, info, NOTHING, inf, None)
    assert "two ways" in why_alone(f"{LIST}?x=ä", info, NOTHING, inf, grant)
    assert "several credentials" in why_alone(LIST, info, Evidence(headers=(("upgrade", "x"),)), inf, grant)
