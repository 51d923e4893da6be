from __future__ import annotations

import pytest
from steps import MANY, steps

from controlplane.auth import status
from controlplane.auth.requestinfo import request_info
from controlplane.model.identity import Decision, RequestInfo, UserInfo

JSON = (("content-type", "application/json"), ("cache-control", "no-cache, private"))
NOSNIFF = (*JSON, ("x-content-type-options", "nosniff"))
HEAD = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":'


def forbidden(method: str, target: str, user: str = "alice", reason: str = "") -> bytes:
    """The body of the 403 for a readable request."""
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    return status.forbidden(UserInfo(user), info, reason).body


def test_401_is_the_apiservers() -> None:
    """Nobody recognised is answered with kube-apiserver's own Status."""
    body = HEAD + b'"Unauthorized","reason":"Unauthorized","code":401}\n'

    assert Decision(None, 401, body, JSON) == status.unauthorized()


@pytest.mark.parametrize(
    ("method", "target", "message", "details"),
    [
        ("GET", "/", rb'"forbidden: User \"alice\" cannot get path \"/\""', b"{}"),
        (
            "GET",
            "/api/v1/nodes",
            (
                rb'"nodes is forbidden: User \"alice\" cannot list resource \"nodes\"'
                rb' in API group \"\" at the cluster scope"'
            ),
            b'{"kind":"nodes"}',
        ),
        (
            "PATCH",
            "/apis/a.io/v1/namespaces/n/things/t/scale",
            (
                rb'"things.a.io \"t\" is forbidden: User \"alice\" cannot patch resource \"things/scale\"'
                rb' in API group \"a.io\" in the namespace \"n\""'
            ),
            b'{"name":"t","group":"a.io","kind":"things"}',
        ),
        (
            "GET",
            "/x/%3Cb%3E&y",
            rb'"forbidden: User \"alice\" cannot get path \"/x/\u0026lt;b\u0026gt;\u0026amp;y\""',
            b"{}",
        ),
        (
            "OPTIONS",
            "/api/v1/nodes/%22%E2%80%A8",
            (
                rb'"nodes \"\\\"\\u2028\" is forbidden: User \"alice\" cannot  resource \"nodes\"'
                rb' in API group \"\" at the cluster scope"'
            ),
            rb'{"name":"\"\u2028","kind":"nodes"}',
        ),
    ],
)
def test_403_is_the_apiservers(method: str, target: str, message: bytes, details: bytes) -> None:
    """A refusal says who cannot do what where, in kube-apiserver's words and bytes."""
    actual = forbidden(method, target)

    assert HEAD + message + b',"reason":"Forbidden","details":' + details + b',"code":403}\n' == actual


def test_403_appends_the_reason() -> None:
    """The authorizer's reason follows the message after a colon, without being escaped for HTML."""
    actual = forbidden("GET", "/x", "a<b", 'RBAC: role "<y>" not found')

    message = rb'"forbidden: User \"a\u0026lt;b\" cannot get path \"/x\": RBAC: role \"\u003cy\u003e\" not found"'
    assert HEAD + message + b',"reason":"Forbidden","details":{},"code":403}\n' == actual


def test_403_forbids_sniffing() -> None:
    """A 403 carries X-Content-Type-Options: nosniff."""
    actual = status.forbidden(UserInfo("a"), RequestInfo(is_resource_request=False, path="/", verb="get"))

    assert (actual.status, actual.headers) == (403, NOSNIFF)


def test_400_says_what_is_wrong() -> None:
    """A bad request's message is the whole explanation."""
    body = HEAD + b'"it is bad","reason":"BadRequest","code":400}\n'

    assert Decision(None, 400, body, NOSNIFF) == status.bad_request("it is bad")


def test_500_says_that_nothing_was_decided() -> None:
    """An internal error carries its message as cause too, as kube-apiserver's does."""
    body = (
        HEAD + b'"Internal error occurred: oh","reason":"InternalError",'
        b'"details":{"causes":[{"message":"oh"}]},"code":500}\n'
    )

    assert Decision(None, 500, body, NOSNIFF) == status.internal_error("oh")


def test_503_says_when_to_come_back() -> None:
    """Unavailability carries Retry-After in the headers and in the Status."""
    body = HEAD + b'"wait","reason":"ServiceUnavailable","details":{"retryAfterSeconds":2},"code":503}\n'

    assert Decision(None, 503, body, (*NOSNIFF, ("retry-after", "2"))) == status.unavailable("wait", 2)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("é€", '"é€"'),
        ('a"b\\', r'"a\"b\\"'),
        ("\n\t\x00\x7f", r'"\n\t\x00\x7f"'),
        ("\u0085\u2028", r'"\u0085\u2028"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("\udcff", r'"\xff"'),
    ],
)
def test_names_are_quoted_as_go_quotes_them(text: str, quoted: str) -> None:
    """Quotes, backslashes, control and invisible characters and stray bytes are escaped as Go's %q does."""
    assert quoted == status.go_quoted(text)


@pytest.mark.parametrize("part", ["a", '"', "\u00ad", "a\u00e9"])
def test_long_names_are_quoted_in_few_steps(part: str) -> None:
    """Anybody may have a refusal name a path of any length."""
    assert steps(lambda: status.go_quoted(f'"{part * 50_000}')) < MANY
