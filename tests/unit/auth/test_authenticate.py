from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from clients import authorities
from now import now
from pki import CertificateAuthority
from steps import MANY, steps

from controlplane.auth.authenticate import ANONYMOUS, Anonymous, Authentication, authenticator
from controlplane.auth.evidence import Evidence, Failed, Recognised, TokenAuthenticator
from controlplane.auth.tokens import TokenTable
from controlplane.model.credentials import ClientAuthorities
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
    moment: float = IN_2030,
) -> UserInfo | Failed:
    """What a fresh authenticator makes of this evidence."""
    authenticate = authenticator(
        Authentication(TOKENS, anonymous=Anonymous(enabled=anonymous)), lambda: moment, authorities()
    )
    outcome = now(authenticate(Evidence(certificate, verified, headers)))
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


@pytest.mark.parametrize("token", ["", "base64url.bearer.authorization.k8s.io.x,"])
def test_many_subprotocols_take_few_steps(token: str) -> None:
    """However many there are, anybody may offer them."""
    assert steps(lambda: who(*websocket(f"{token}{'a,' * 50_000}"))) < MANY


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
    moment = [IN_2030]
    authenticate = authenticator(Authentication(anonymous=Anonymous(enabled=True)), lambda: moment[0], authorities())
    evidence = Evidence(make_certificate("alice"), certificate_verified=True)
    before = now(authenticate(evidence))
    moment[0] = AFTER_2031

    assert isinstance(before, Recognised)
    assert IN_2030 < before.until < AFTER_2031
    assert Failed("the client certificate has expired") == now(authenticate(evidence))


def test_a_token_is_invalid_where_there_are_none() -> None:
    """Without a token file a bearer token is still evidence that does not hold, not an anonymous request."""
    authenticate = authenticator(Authentication(anonymous=Anonymous(enabled=True)), lambda: 0.0)

    actual = now(authenticate(Evidence(headers=(("authorization", "Bearer t-alice"),))))

    assert actual == INVALID


def test_evidence_shows_no_header_value() -> None:
    """The repr of evidence holds no token."""
    actual = repr(Evidence(headers=(("authorization", "Bearer s3cr3t"),)))

    assert "s3cr3t" not in actual


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/healthz", ANONYMOUS),
        ("/healthz?verbose", ANONYMOUS),
        ("/health%7a", ANONYMOUS),
        ("/healthz/", Failed("no credentials were shown")),
        ("/version", Failed("no credentials were shown")),
    ],
)
def test_anonymous_requests_can_be_for_some_paths_only(target: str, expected: UserInfo | Failed) -> None:
    """Where anonymous requests are for listed paths, any other path needs a credential."""
    anonymous = Anonymous(enabled=True, paths=frozenset({"/healthz"}))
    authenticate = authenticator(Authentication(anonymous=anonymous), lambda: 0.0)

    outcome = now(authenticate(Evidence(target=target)))

    assert expected == (outcome.user if isinstance(outcome, Recognised) else outcome)


def test_token_authenticators_are_asked_in_order_until_one_recognises() -> None:
    """A token that one kind refuses and another recognises holds; the static tokens come first."""
    asked: list[str] = []

    def kind(name: str, outcome: Recognised | Failed | None) -> TokenAuthenticator:
        async def authenticate(token: str) -> Recognised | Failed | None:
            asked.append(f"{name} {token}")
            return outcome

        return authenticate

    kinds = (
        kind("a", None),
        kind("b", Failed("b is broken")),
        kind("c", Recognised(UserInfo("carol"))),
        kind("d", None),
    )
    authenticate = authenticator(Authentication(TOKENS, kinds), lambda: 0.0)

    found = [now(authenticate(Evidence(headers=(("authorization", f"Bearer {token}"),)))) for token in ("x", "t-alice")]

    users = [outcome.user.name for outcome in found if isinstance(outcome, Recognised)]
    assert (["carol", "alice"], ["a x", "b x", "c x"]) == (users, asked)


def test_it_is_told_what_recognised_the_client(make_certificate: Callable[..., str]) -> None:
    """Certificate, token file and the lack of both are told apart."""
    anonymous = Anonymous(enabled=True)
    authenticate = authenticator(Authentication(TOKENS, anonymous=anonymous), lambda: IN_2030, authorities())
    shown = (
        Evidence(make_certificate("alice"), certificate_verified=True),
        Evidence(headers=(("authorization", "Bearer t-alice"),)),
        Evidence(),
    )
    outcomes = [now(authenticate(evidence)) for evidence in shown]

    assert [outcome.by for outcome in outcomes if isinstance(outcome, Recognised)] == [
        "the client certificate",
        "the token file",
        "no credential, where anonymous requests are on",
    ]


def test_a_certificate_is_verified_by_the_authorities_of_now(make_certificate: Callable[..., str]) -> None:
    """What Envoy verified when the connection was made is nothing once its authority has been replaced."""
    evidence = Evidence(make_certificate("alice"), certificate_verified=True)
    other = ClientAuthorities(users=CertificateAuthority("others").certificate)

    outcome = now(authenticator(Authentication(), lambda: IN_2030, other)(evidence))

    assert isinstance(outcome, Failed)
    assert "does not come from the authority" in outcome.reason


def test_nothing_is_kept_of_an_anonymous_request_that_is_for_some_paths() -> None:
    """The rule that allows it may hold for more paths than those on which anonymous requests are on."""
    anonymous = Anonymous(enabled=True, paths=frozenset({"/healthz"}))
    authenticate = authenticator(Authentication(anonymous=anonymous), lambda: 0.0)

    outcome = now(authenticate(Evidence(target="/healthz")))

    assert isinstance(outcome, Recognised)
    assert outcome.until < 0
