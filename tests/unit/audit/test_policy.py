"""Which rule of a policy decides."""

from __future__ import annotations

import pytest

from controlplane.audit.policy import AuditPolicy, GroupResources, Level, Rule, Ruling
from controlplane.model.identity import RequestInfo

THING = RequestInfo(
    is_resource_request=True,
    path="/apis/g/v1/namespaces/default/things/one",
    verb="get",
    api_group="g",
    api_version="v1",
    namespace="default",
    resource="things",
    name="one",
)
STATUS = RequestInfo(
    is_resource_request=True,
    path="/apis/g/v1/things/one/status",
    verb="get",
    api_group="g",
    api_version="v1",
    resource="things",
    subresource="status",
    name="one",
)
PATH = RequestInfo(is_resource_request=False, path="/healthz/etcd", verb="get")


def matches(rule: Rule, info: RequestInfo, user: str | None = "alice", groups: tuple[str, ...] = ("devs",)) -> bool:
    """Whether the one rule of a policy decides."""
    return AuditPolicy((rule,)).ruling(user, groups, info).audited


def rule(**fields: object) -> Rule:
    """A rule that audits."""
    return Rule(Level.METADATA, **fields)  # type: ignore[arg-type] -- the fields are written out in each test


def resources(group: str, *listed: str, names: tuple[str, ...] = ()) -> Rule:
    """A rule about resources."""
    return rule(resources=(GroupResources(group, listed, names),))


def test_what_no_rule_matches_is_not_audited() -> None:
    """The default is silence, with and without rules."""
    assert Ruling() == AuditPolicy().ruling("alice", (), THING)
    assert not matches(rule(users=frozenset({"bob"})), THING)


def test_the_first_rule_that_matches_decides() -> None:
    """A later rule of a higher level changes nothing."""
    policy = AuditPolicy((Rule(Level.NONE, users=frozenset({"alice"})), Rule(Level.REQUEST_RESPONSE)))

    assert not policy.ruling("alice", (), THING).audited
    assert policy.ruling("bob", (), THING).audited


def test_stages_are_left_out_by_policy_and_rule_together() -> None:
    """The union of both lists."""
    policy = AuditPolicy((Rule(Level.METADATA, omit_stages=frozenset({"Panic"})),), frozenset({"RequestReceived"}))

    assert policy.ruling("alice", (), THING).omit_stages == {"Panic", "RequestReceived"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"users": frozenset({"alice"})}, True),
        ({"users": frozenset({"bob"})}, False),
        ({"user_groups": frozenset({"ops", "devs"})}, True),
        ({"user_groups": frozenset({"ops"})}, False),
        ({"verbs": frozenset({"get"})}, True),
        ({"verbs": frozenset({"*"})}, False),
        ({"namespaces": frozenset({"default"})}, True),
        ({"namespaces": frozenset({""})}, False),
        ({"non_resource_urls": ("*",)}, False),
    ],
)
def test_every_field_of_a_rule_must_match(fields: dict[str, object], expected: bool) -> None:
    """Users, groups, verbs (in which "*" is nothing special), namespaces and paths."""
    assert matches(rule(**fields), THING) is expected


def test_nobody_matches_no_rule_about_users() -> None:
    """A request in which nobody was recognised has no user and no group."""
    assert not matches(rule(users=frozenset({""})), THING, None, ())
    assert not matches(rule(user_groups=frozenset({"devs"})), THING, None, ("devs",))
    assert matches(rule(), THING, None, ())


@pytest.mark.parametrize(
    ("listed", "thing", "status"),
    [
        (resources("g"), True, True),
        (resources("*"), True, True),
        (resources(""), False, False),
        (resources("g", "things"), True, False),
        (resources("g", "things/status"), False, True),
        (resources("g", "things/*"), True, True),
        (resources("g", "*/status"), False, True),
        (resources("g", "*"), True, True),
        (resources("g", "others"), False, False),
        (resources("g", "things", names=("one",)), True, False),
        (resources("g", "*", names=("two",)), False, False),
    ],
)
def test_resources_match_as_in_kube_apiserver(listed: Rule, thing: bool, status: bool) -> None:
    """A resource, a subresource, and the patterns *, res/* and */sub."""
    assert (matches(listed, THING), matches(listed, STATUS)) == (thing, status)


def test_cluster_wide_objects_are_in_the_namespace_without_a_name() -> None:
    """The empty string in namespaces matches them, and nothing else does."""
    assert matches(rule(namespaces=frozenset({""})), STATUS)
    assert not matches(rule(namespaces=frozenset({"default"})), STATUS)


@pytest.mark.parametrize(
    ("url", "expected"), [("*", True), ("/healthz/etcd", True), ("/healthz*", True), ("/healthz", False), ("/h*", True)]
)
def test_paths_match_whole_or_by_their_beginning(url: str, expected: bool) -> None:
    """A trailing * stands for any rest; resource requests match no path."""
    assert matches(rule(non_resource_urls=(url,)), PATH) is expected
    assert not matches(rule(resources=(GroupResources("*"),)), PATH)
