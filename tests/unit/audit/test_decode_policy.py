"""Policies as kube-apiserver reads them, and what it refuses."""

from __future__ import annotations

import pytest

from controlplane.audit.decode_policy import load_policy
from controlplane.audit.policy import AuditPolicy, GroupResources, Level, Rule
from controlplane.errors import SettingsError

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
STAGES = "allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic"


def test_every_field_is_read() -> None:
    """Policy-wide and rule by rule."""
    text = """
metadata: {name: mine}
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: Request
  users: [alice]
  userGroups: [devs]
  verbs: [get]
  resources: [{group: apps, resources: [deployments/*], resourceNames: [one]}]
  namespaces: [default, ""]
  omitStages: [Panic]
  omitManagedFields: false
- level: None
  nonResourceURLs: ["/healthz*"]
  users: null
"""
    rules = (
        Rule(
            Level.REQUEST,
            frozenset({"alice"}),
            frozenset({"devs"}),
            frozenset({"get"}),
            (GroupResources("apps", ("deployments/*",), ("one",)),),
            frozenset({"default", ""}),
            omit_stages=frozenset({"Panic"}),
        ),
        Rule(Level.NONE, non_resource_urls=("/healthz*",), omit_managed_fields=True),
    )

    assert load_policy(HEAD + text, "p") == (AuditPolicy(rules, frozenset({"RequestReceived"})), ())


# The messages are those of kube-apiserver v1.36.3 for the same policies.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: [{}]", "rules[0].level: Required value"),
        (
            "rules: [{level: Foo}]",
            (
                'rules[0].level: Unsupported value: "Foo": supported values: "None", "Metadata", "Request", '
                '"RequestResponse"'
            ),
        ),
        (
            'rules: [{level: None, nonResourceURLs: ["foo", "/a*b", "*"]}]',
            (
                "[rules[0].nonResourceURLs[0]: Invalid value: \"foo\": non-resource URL rules must begin with a '/' "
                "character, rules[0].nonResourceURLs[1]: Invalid value: \"/a*b\": non-resource URL wildcards '*' must "
                "be the final character of the rule]"
            ),
        ),
        (
            "rules: [{level: None, resources: [{resourceNames: [a, b]}]}]",
            (
                'rules[0].resources.resourceNames: Invalid value: ["a","b"]: using resourceNames requires at least one '
                "resource"
            ),
        ),
        (
            'rules: [{level: None, nonResourceURLs: ["/a"], namespaces: [x]}]',
            (
                'rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and '
                "non-resource URLs"
            ),
        ),
        (
            "omitStages: [Bar]\nrules: [{level: None, omitStages: [Foo]}]",
            f'[omitStages[0]: Invalid value: "Bar": {STAGES}, rules[0].omitStages[0]: Invalid value: "Foo": {STAGES}]',
        ),
        ("rules: []", "loaded illegal policy with 0 rules"),
    ],
)
def test_what_kube_apiserver_refuses_is_refused_in_its_words(text: str, expected: str) -> None:
    """Each defect names field, value and reason; several stand in brackets."""
    with pytest.raises(SettingsError) as raised:
        load_policy(HEAD + text, "p")

    assert str(raised.value).startswith(f"p: {expected};")


def test_a_group_is_a_dns_subdomain() -> None:
    """A group with its version is the common mistake."""
    with pytest.raises(SettingsError, match=r'rules\[0\].resources.group: Invalid value: "apps/v1": a lowercase RFC'):
        load_policy(f"{HEAD}rules: [{{level: None, resources: [{{group: apps/v1}}]}}]", "p")
    with pytest.raises(SettingsError, match="must be no more than 253 bytes"):
        load_policy(f"{HEAD}rules: [{{level: None, resources: [{{group: {'a' * 254}}}]}}]", "p")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: [", "is not YAML"),
        ("rules: 2001-99-99", "is not YAML"),
        ("[]", "holds no audit policy"),
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]", "holds no audit policy"),
        ("apiVersion: audit.k8s.io/v1\nkind: Event", "holds no audit policy"),
        (f"{HEAD}rules: [{{level: 3}}]", r"rules\[0\]\.level: input should be a valid string"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, expected: str) -> None:
    """No YAML, no object, another kind or version, a field of another type."""
    with pytest.raises(SettingsError, match=expected):
        load_policy(text, "p")


def test_a_field_that_is_not_known_is_shown_and_has_no_effect() -> None:
    """As in kube-apiserver, which logs it and goes on."""
    policy, problems = load_policy(f"{HEAD}foo: 1\nrules: [{{level: Metadata, user: [a]}}]", "p")

    assert policy == AuditPolicy((Rule(Level.METADATA),))
    assert [problem.field for problem in problems] == ["foo", "rules[0].user"]
