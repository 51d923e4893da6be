from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from controlplane.auth.authenticate import ANONYMOUS, Authentication, authenticator
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.auth.tokens import TokenTable
from controlplane.model.identity import UserInfo

IN_2030 = 1900000000.0
AFTER_2031 = 1930000000.0
TOKENS = TokenTable(
    b"k" * 32,
    {
        "t-alice": UserInfo("alice", "1", ("dev",)),
        "t-known": UserInfo("bob", "2", ("system:authenticated",)),
        "t-anon": UserInfo("system:anonymous", "3"),
        "t-é": UserInfo("carol"),
    },
)
ALICE = UserInfo("alice", "1", ("dev", "system:authenticated"))
INVALID = Failed("invalid bearer token")


def who(
    *headers: tuple[str, str],
    certificate: str = "",
    verified: bool = False,
    anonymous: bool = True,
    now: float = IN_2030,
) -> UserInfo | Failed:
    """What a fresh authenticator makes of this evidence."""
    authenticate = authenticator(Authentication(TOKENS, anonymous=anonymous), lambda: now)
    outcome = authenticate(Evidence(certificate, verified, headers))
    return outcome.user if isinstance(outcome, Recognised) else outcome


def websocket(*protocols: str, upgrade: str = "websocket", connection: str = "Upgrade") -> list[tuple[str, str]]:
    """The headers of a WebSocket request that offers these subprotocols."""
    return [("upgrade", upgrade), ("connection", connection), *(("sec-websocket-protocol", line) for line in protocols)]


def subprotocol(token: bytes) -> str:
    """The WebSocket subprotocol that carries `token`."""
    return "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token).decode().rstrip("=")


def test_no_evidence_is_anonymous() -> None:
    """Whoever shows nothing is system:anonymous, and not authenticated."""
    actual = who()

    assert UserInfo("system:anonymous", groups=("system:unauthenticated",)) == actual


def test_no_evidence_is_refused_when_anonymous_requests_are_off() -> None:
    """With anonymous requests off, nothing shown is nobody recognised."""
    actual = who(anonymous=False)

    assert Failed("no credentials were shown") == actual


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer t-alice", ALICE),
        ("bearer t-alice", ALICE),
        ("  BEARER t-alice ", ALICE),
        ("Bearer t-alice trailing words", ALICE),
        ("Bearer t-known", UserInfo("bob", "2", ("system:authenticated",))),
        ("Bearer t-anon", UserInfo("system:anonymous", "3")),
        ("Bearer t-é", UserInfo("carol", groups=("system:authenticated",))),
        ("Bearer wrong", INVALID),
        ("Bearer \udcff", INVALID),
        ("Bearer", ANONYMOUS),
        ("Bearer  t-alice", ANONYMOUS),
        ("Basic t-alice", ANONYMOUS),
        ("Bearer,t-alice", ANONYMOUS),
        ("", ANONYMOUS),
    ],
)
def test_bearer_tokens_are_read_as_kube_apiserver_reads_them(value: str, expected: UserInfo | Failed) -> None:
    """Scheme in any case, one space, then the token; other schemes are not looked at; a wrong token is an error."""
    actual = who(("authorization", value))

    assert expected == actual


def test_only_the_first_authorization_line_counts() -> None:
    """A second Authorization header is not tried when the first one does not hold."""
    actual = who(("authorization", "Bearer wrong"), ("authorization", "Bearer t-alice"))

    assert actual == INVALID


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (websocket(f"v5.channel.k8s.io, {subprotocol(b't-alice')}"), ALICE),
        (websocket(subprotocol(b"t-alice"), "v4"), ALICE),
        (websocket(subprotocol(b"t-alice"), "v4", upgrade="WebSocket", connection="keep-alive, upgrade"), ALICE),
        (websocket(subprotocol(b"wrong"), "v4"), INVALID),
        (websocket(subprotocol(b"t-alice")), Failed("missing additional subprotocol")),
        (websocket(subprotocol(b""), "v4"), ANONYMOUS),
        (websocket("v4"), ANONYMOUS),
        (websocket(subprotocol(b"t-alice"), "v4", upgrade="SPDY/3.1"), ANONYMOUS),
        (websocket(subprotocol(b"t-alice"), "v4", connection="close"), ANONYMOUS),
        (
            websocket(subprotocol(b"t-alice"), subprotocol(b"t-alice"), "v4"),
            Failed("multiple base64.bearer.authorization tokens specified"),
        ),
        (
            websocket(subprotocol(b"t-alice") + "=", "v4"),
            Failed("invalid base64.bearer.authorization token encoding"),
        ),
        (
            websocket(subprotocol(b"") + "abcde", "v4"),
            Failed("invalid base64.bearer.authorization token encoding"),
        ),
        (websocket(subprotocol(b"\xff"), "v4"), Failed("invalid base64.bearer.authorization token")),
    ],
)
def test_websocket_tokens_are_read_as_kube_apiserver_reads_them(
    headers: list[tuple[str, str]], expected: UserInfo | Failed
) -> None:
    """A WebSocket request may show its token as one subprotocol beside another; anything malformed is an error."""
    actual = who(*headers)

    assert expected == actual


def test_a_verified_certificate_is_believed(make_certificate: Callable[..., str]) -> None:
    """The certificate's user is authenticated, and its groups come before system:authenticated."""
    actual = who(certificate=make_certificate("alice", groups=("dev",)), verified=True)

    assert isinstance(actual, UserInfo)
    assert (actual.name, actual.groups) == ("alice", ("dev", "system:authenticated"))


def test_a_certificate_that_envoy_did_not_verify_is_never_believed(make_certificate: Callable[..., str]) -> None:
    """A forged certificate is an error, and an error is never answered with the anonymous user."""
    actual = who(certificate=make_certificate("evil", groups=("system:masters",)), verified=False)

    assert Failed("the client certificate was not verified by the client CA") == actual


def test_a_bad_certificate_does_not_spoil_a_good_token(make_certificate: Callable[..., str]) -> None:
    """The error of one kind of evidence does not stop the next."""
    actual = who(("authorization", "Bearer t-alice"), certificate=make_certificate("evil"), verified=False)

    assert actual == ALICE


def test_a_good_certificate_is_not_spoilt_by_a_bad_token(make_certificate: Callable[..., str]) -> None:
    """The first evidence that holds decides, whatever comes after it."""
    actual = who(("authorization", "Bearer wrong"), certificate=make_certificate("alice"), verified=True)

    assert isinstance(actual, UserInfo)
    assert actual.name == "alice"


def test_all_failures_are_told_together(make_certificate: Callable[..., str]) -> None:
    """When nothing holds, the reason names everything that was shown."""
    actual = who(("authorization", "Bearer wrong"), certificate=make_certificate("evil"), verified=False)

    assert Failed("the client certificate was not verified by the client CA; invalid bearer token") == actual


def test_a_certificate_without_a_common_name_is_anonymous(make_certificate: Callable[..., str]) -> None:
    """A verified certificate that names nobody is no evidence: its bearer is anonymous and in none of its groups."""
    actual = who(certificate=make_certificate(groups=("system:masters",)), verified=True)

    assert actual == ANONYMOUS


def test_a_remembered_certificate_expires(make_certificate: Callable[..., str]) -> None:
    """A certificate that was believed once is refused by the same authenticator after its end."""
    now = [IN_2030]
    authenticate = authenticator(Authentication(anonymous=True), lambda: now[0])
    evidence = Evidence(make_certificate("alice"), certificate_verified=True)
    before = authenticate(evidence)
    now[0] = AFTER_2031

    assert isinstance(before, Recognised)
    assert IN_2030 < before.until < AFTER_2031
    assert Failed("the client certificate has expired") == authenticate(evidence)


def test_a_token_is_invalid_where_there_are_none() -> None:
    """Without a token file a bearer token is still evidence that does not hold, not an anonymous request."""
    actual = authenticator(Authentication(anonymous=True), lambda: 0.0)(
        Evidence(headers=(("authorization", "Bearer t-alice"),))
    )

    assert actual == INVALID


def test_evidence_shows_no_header_value() -> None:
    """The repr of evidence holds no token."""
    actual = repr(Evidence(headers=(("authorization", "Bearer s3cr3t"),)))

    assert "s3cr3t" not in actual
