from __future__ import annotations

import pytest

from controlplane.auth.webhook.conditions import MatchConditions
from controlplane.auth.webhook.reviews import access_spec
from controlplane.model.identity import RequestInfo, UserInfo

USER = UserInfo("jane", "u1", ("a", "b"), (("k", ("v",)),))
RESOURCE = RequestInfo(
    is_resource_request=True, path="/p", verb="list", api_version="v1", resource="pods", label_selector="app=x,!old"
)
PATH = RequestInfo(is_resource_request=False, path="/healthz", verb="get")


@pytest.mark.parametrize(
    ("expression", "info", "expected"),
    [
        ("request.user == 'jane' && request.uid == 'u1'", RESOURCE, True),
        ("'b' in request.groups", RESOURCE, True),
        ("request.extra['k'][0] == 'v'", RESOURCE, True),
        ("has(request.resourceAttributes)", RESOURCE, True),
        ("has(request.resourceAttributes)", PATH, False),
        ("!has(request.nonResourceAttributes) || request.nonResourceAttributes.path != '/healthz'", PATH, False),
        ("!has(request.nonResourceAttributes) || request.nonResourceAttributes.path != '/healthz'", RESOURCE, True),
        ("request.resourceAttributes.namespace == ''", RESOURCE, True),
        ("has(request.resourceAttributes.subresource)", RESOURCE, True),
        ("has(request.resourceAttributes.fieldSelector)", RESOURCE, False),
        ("request.resourceAttributes.labelSelector.requirements[0].values == ['x']", RESOURCE, True),
        ("request.resourceAttributes.labelSelector.requirements[1].values.size() == 0", RESOURCE, True),
        ("request.resourceAttributes.labelSelector.requirements.exists(r, r.key == 'app')", RESOURCE, True),
        ("request.resourceAttributes.?fieldSelector.hasValue()", RESOURCE, False),
    ],
)
def test_a_condition_sees_the_whole_request(expression: str, info: RequestInfo, expected: bool) -> None:
    """Every field of the spec is there, as in kube-apiserver; attributes only of the request's own kind."""
    actual = MatchConditions([expression]).match(access_spec(USER, info))

    assert expected is actual


def test_every_condition_must_hold() -> None:
    """One that is false decides, whatever the others come to."""
    spec = access_spec(USER, PATH)

    both = MatchConditions(["true", "request.user == 'jane'"]).match(spec)
    one = MatchConditions(["request.resourceAttributes.verb == 'get'", "false"]).match(spec)

    assert (True, False) == (both, one)


def test_an_error_is_never_true() -> None:
    """What is not there cannot be read, and several errors are said together."""
    conditions = MatchConditions(["request.resourceAttributes.verb == 'get'", "request.extra['x'] == []"])

    actual = conditions.match(access_spec(USER, PATH))

    assert isinstance(actual, str)
    assert actual.startswith("[cel evaluation error: expression 'request.resourceAttributes.verb")
    assert ", cel evaluation error: expression 'request.extra['x'] == []'" in actual


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("request.usr == ''", "compilation failed: "),
        ("request.resourceAttributes.kind == ''", "compilation failed: "),
        ("request.user", "must evaluate to bool"),
        ("(", "compilation failed: "),
    ],
)
def test_what_does_not_compile_is_a_defect(expression: str, said: str) -> None:
    """A misspelt field and an expression of another type are found before any request, by their place."""
    conditions = MatchConditions(["true", expression])

    assert [1] == list(conditions.defects)
    assert conditions.defects[1].startswith(said)


@pytest.mark.parametrize(("key", "found"), [("a.b", False), ("a__dot__b", True)])
def test_extras_have_no_escaped_names(key: str, found: bool) -> None:
    """Unlike expressions on claims, conditions name keys to the letter, as in kube-apiserver."""
    conditions = MatchConditions(["has(request.extra.a__dot__b)"])

    assert conditions.match({"extra": {key: ["v"]}, "nonResourceAttributes": {}}) is found
