from __future__ import annotations

import json
import time

import pytest

from controlplane.auth.webhook.reviews import (
    AccessStatus,
    TokenStatus,
    access_review,
    access_spec,
    api_path,
    read_access_review,
    read_token_review,
    token_review,
)
from controlplane.model.identity import RequestInfo, UserInfo

USER = UserInfo("jane", groups=("a", "b"))


def test_api_servers_take_reviews_below_apis() -> None:
    """The path holds group, version and resource."""
    actual = api_path(("authorization.k8s.io", "subjectaccessreviews"), "v1")

    assert "/apis/authorization.k8s.io/v1/subjectaccessreviews" == actual


def test_every_attribute_of_a_resource_request_is_sent() -> None:
    """A resource request is described with its selectors, each requirement with its values."""
    info = RequestInfo(
        is_resource_request=True,
        path="/p",
        verb="list",
        api_group="g",
        api_version="v",
        namespace="n",
        resource="r",
        subresource="s",
        name="x",
        field_selector="spec.nodeName=n",
        label_selector="d,a notin (c,b)",
    )

    actual = access_spec(USER, info)["resourceAttributes"]

    selectors = {
        "fieldSelector": {"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n"]}]},
        "labelSelector": {
            "requirements": [
                {"key": "a", "operator": "NotIn", "values": ["b", "c"]},
                {"key": "d", "operator": "Exists"},
            ]
        },
    }
    plain = {"namespace": "n", "verb": "list", "group": "g", "version": "v", "resource": "r", "subresource": "s"}
    assert {**plain, "name": "x", **selectors} == actual


def test_other_requests_are_a_path_and_a_verb() -> None:
    """A non-resource request has non-resource attributes only, and the user what it has."""
    actual = access_spec(USER, RequestInfo(is_resource_request=False, path="/healthz", verb="get"))

    expected = {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}, "user": "jane", "groups": ["a", "b"]}
    assert expected == actual


def test_a_requirement_without_a_key_says_so() -> None:
    """Key and operator are there even if they are empty, as in Go, so that match conditions can read them."""
    info = RequestInfo(is_resource_request=True, path="/p", verb="list", field_selector="=n")

    [sent] = access_spec(USER, info)["resourceAttributes"]["fieldSelector"]["requirements"]

    assert {"key": "", "operator": "In", "values": ["n"]} == sent


def test_a_selector_that_does_not_parse_is_not_sent() -> None:
    """It would narrow what is asked for to something that nobody asked for."""
    info = RequestInfo(is_resource_request=True, path="/p", verb="list", field_selector="x", label_selector="a b")

    assert {"verb": "list"} == access_spec(USER, info)["resourceAttributes"]


def test_bytes_that_are_no_text_are_replaced_as_go_does() -> None:
    """A token of bytes that are not UTF-8 is still JSON."""
    actual = json.loads(token_review("a\udcff", (), "v1"))

    assert "a\ufffd" == actual["spec"]["token"]


def test_v1beta1_calls_the_groups_group() -> None:
    """The one field that has another name there."""
    actual = json.loads(access_review({"user": "u", "groups": ["g"]}, "v1beta1"))

    assert {"user": "u", "group": ["g"]} == actual["spec"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": True}},
            (True, ""),
        ),
        ({"status": {"allowed": None, "reason": "r", "evaluationError": "e", "more": 1}}, (False, "r")),
        ({}, (False, "")),
        ({"status": None}, (False, "")),
    ],
)
def test_an_answer_is_read(document: object, expected: tuple[bool, str]) -> None:
    """Kind and version may be left out, null is nothing, and unknown fields are passed over, as in client-go."""
    actual = read_access_review(json.dumps(document).encode(), "v1")

    assert AccessStatus(expected[0], denied=False, reason=expected[1]) == actual


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the answer is not JSON"),
        (b"[]", "the answer is no JSON object"),
        (b'{"kind":"Status"}', "the answer's kind is not SubjectAccessReview"),
        (b'{"kind":[1]}', "the answer's kind is not SubjectAccessReview"),
        (b'{"apiVersion":"authorization.k8s.io/v1beta1"}', "the answer's apiVersion is not authorization.k8s.io/v1"),
        (b'{"status":[]}', "the answer's status is no object"),
        (b'{"status":{"allowed":"true"}}', "the answer's allowed is neither true nor false"),
        (b'{"status":{"allowed":1}}', "the answer's allowed is neither true nor false"),
        (b'{"status":{"reason":1}}', "the answer's reason is no text"),
        (b'{"status":{"allowed":true,"evaluationError":1}}', "the answer's evaluationError is no text"),
        (b'{"metadata":[],"status":{"allowed":true}}', "the answer's metadata is no object"),
        (b'{"spec":1,"status":{"allowed":true}}', "the answer's spec is no object"),
        (b'{"status":{"allowed":true},"x":NaN}', "the answer is not JSON"),
        (b'{"x":' + b"[" * 100_000, "the answer is not JSON"),
    ],
)
def test_what_is_not_the_object_asked_for_is_no_answer(body: bytes, said: str) -> None:
    """Another object, or a field of another type, allows nothing."""
    actual = read_access_review(body, "v1")

    assert said == actual


def test_an_answer_may_begin_with_a_byte_order_mark() -> None:
    """Some servers write one before all they say in UTF-8."""
    actual = read_access_review(b'\xef\xbb\xbf{"status":{"denied":true}}', "v1")

    assert AccessStatus(allowed=False, denied=True, reason="") == actual


@pytest.mark.parametrize("reason", [b"\xff", b"\\ud800"])
def test_a_refusal_holds_however_its_reason_is_written(reason: bytes) -> None:
    """What is no Unicode in a reason is replaced, and the server that refused is not taken for one that failed."""
    actual = read_access_review(b'{"status":{"denied":true,"reason":"' + reason + b'"}}', "v1")

    assert AccessStatus(allowed=False, denied=True, reason="\ufffd") == actual


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"status":{"denied":true},"status":{"allowed":true}}', (True, True)),
        (b'{"status":{"denied":true},"status":{"denied":null}}', (False, True)),
        (b'{"status":{"denied":true},"status":null}', (False, True)),
        (b'{"status":{"allowed":false,"allowed":true}}', (True, False)),
    ],
)
def test_what_is_said_twice_adds_up(body: bytes, expected: tuple[bool, bool]) -> None:
    """A member that is there twice is read as Go reads it, so that a later one takes no refusal away."""
    actual = read_access_review(body, "v1")

    assert isinstance(actual, AccessStatus)
    assert expected == (actual.allowed, actual.denied)


@pytest.mark.parametrize(
    "member", ['"status":{{"k{0}":1}}', '"status":{{"k":{{"k{0}":1}}}}', '"status":{{"reason":"{0}"}}']
)
def test_an_answer_that_repeats_itself_is_read_in_time(member: str) -> None:
    """What one more equal key takes does not grow with what those before it held."""
    few, many = (
        ("{" + ",".join(member.format(number) for number in range(count)) + "}").encode() for count in (1_000, 16_000)
    )
    began = time.process_time()
    read_access_review(few, "v1")
    shorter = time.process_time() - began

    began = time.process_time()
    read_access_review(many, "v1")

    # Squared it would be 256 times as long.
    assert time.process_time() - began < 64 * shorter


def test_a_user_is_read() -> None:
    """A TokenReview's user has lower-case extra keys, sorted, and values of keys that become one are joined."""
    user = {"username": "u", "uid": "1", "groups": ["g"], "extra": {"b": ["1"], "A/x": ["2"], "B": ["3"]}}
    body = json.dumps({"status": {"authenticated": True, "user": user, "audiences": ["a"], "error": "e"}}).encode()

    actual = read_token_review(body, "v1")

    who = UserInfo("u", "1", ("g",), (("a/x", ("2",)), ("b", ("1", "3"))))
    assert TokenStatus(authenticated=True, user=who, audiences=("a",), error="e") == actual


@pytest.mark.parametrize("extra", [{"a": "b"}, {"a": [1]}, ["a"]])
def test_an_extra_that_is_no_lists_of_texts_is_no_user(extra: object) -> None:
    """Nobody is recognised by an answer that is not exactly a TokenReview."""
    body = json.dumps({"status": {"authenticated": True, "user": {"username": "u", "extra": extra}}}).encode()

    actual = read_token_review(body, "v1")

    assert isinstance(actual, str)
