from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from now import now
from pki import CertificateAuthority

from controlplane.auth.authenticate import Anonymous, Authentication, authenticator
from controlplane.auth.evidence import Evidence, Failed, Outcome, Recognised
from controlplane.auth.front_proxy import RequestHeaderTrust, front_proxy
from controlplane.auth.tokens import TokenTable
from controlplane.model.credentials import ClientAuthorities
from controlplane.model.identity import UserInfo

PROXIES = CertificateAuthority("front proxies")
USERS = CertificateAuthority("users")
AUTHORITIES = ClientAuthorities(USERS.certificate, PROXIES.certificate)
EDGE = PROXIES.issue("edge", server=False)[0].decode()
DAVE = USERS.issue("dave", organizations=["dev"], server=False)[0].decode()
TRUST = RequestHeaderTrust(uid_headers=("x-remote-uid",))
TOKENS = TokenTable(b"k" * 32, {"t-bob": UserInfo("bob")})
ALICE = ("x-remote-user", "alice")
DAY = 86_400


def told(
    *lines: tuple[str, str], certificate: str = EDGE, trust: RequestHeaderTrust = TRUST, verified: bool = True
) -> Outcome:
    """What a front proxy is believed."""
    evidence = Evidence(certificate, verified, asserted=lines)
    return now(front_proxy(trust, PROXIES.certificate, time.time)(evidence))


def user(*lines: tuple[str, str], trust: RequestHeaderTrust = TRUST) -> UserInfo:
    """The user that a front proxy names."""
    outcome = told(*lines, trust=trust)
    assert isinstance(outcome, Recognised), outcome
    return outcome.user


def test_a_front_proxy_names_a_user() -> None:
    """Name, UID, a group for each line, and extras by key, each value a line."""
    actual = user(
        ALICE,
        ("x-remote-uid", "7"),
        ("x-remote-group", "dev"),
        ("x-remote-group", "odd,group"),
        ("x-remote-group", ""),
        ("x-remote-extra-scopes", "b"),
        ("x-remote-extra-scopes", "a"),
        ("x-remote-extra-example.org%2fkey", "v"),
    )

    extra = (("example.org/key", ("v",)), ("scopes", ("b", "a")))
    assert UserInfo("alice", "7", ("dev", "odd,group"), extra) == actual


def test_the_word_ends_with_the_certificate() -> None:
    """What is believed is believed as long as the front proxy's certificate holds."""
    outcome = told(ALICE)

    assert isinstance(outcome, Recognised)
    assert 0 < outcome.until - time.time() <= DAY


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ((("x-b", "bob"), ("x-a", "alice")), "alice"),
        ((("x-b", "bob"), ("x-a", "")), "bob"),
        ((("x-a", "alice"), ("x-a", "root")), "alice"),
        ((("x-a", ""), ("x-a", "root"), ("x-b", "bob")), "bob"),
    ],
)
def test_the_first_name_that_is_not_empty_counts(lines: tuple[tuple[str, str], ...], name: str) -> None:
    """In the order of the settings, and of each header the first line only, as Go's Header.Get reads it."""
    assert name == user(*lines, trust=RequestHeaderTrust(username_headers=("x-a", "x-b"))).name


def test_groups_are_those_of_all_headers() -> None:
    """In the order of the settings, then of the lines."""
    trust = RequestHeaderTrust(group_headers=("x-g", "x-h"))
    lines = (ALICE, ("x-h", "3"), ("x-g", "1"), ("x-h", "4"), ("x-g", "2"), ("x-remote-group", "system:masters"))

    assert user(*lines, trust=trust).groups == ("1", "2", "3", "4")


def test_what_is_not_configured_is_not_read() -> None:
    """A UID counts only where a header for it is set, and only the spelling that is set."""
    lines = (ALICE, ("x-remote-uid", "7"), ("x_remote_group", "system:masters"), ("x-remote-extra_a", "b"))

    assert UserInfo("alice") == user(*lines, trust=RequestHeaderTrust())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a%2fb", "a/b"),
        ("a%2Fb", "a/b"),
        ("%41b", "ab"),
        ("%c3%89", "É"),
        ("a+b", "a+b"),
        ("a%zz", "a%zz"),
        ("a%2fb%2", "a%2fb%2"),
        ("", ""),
    ],
)
def test_keys_of_extras_are_unescaped(name: str, key: str) -> None:
    """As Go's PathUnescape does, and what it cannot unescape is the key as it is."""
    assert ((key, ("v",)),) == user(ALICE, (f"x-remote-extra-{name}", "v")).extra


def test_two_spellings_of_a_key_are_one() -> None:
    """Values come together under the key that they mean; of several prefixes each is looked for."""
    trust = RequestHeaderTrust(extra_prefixes=("x-e-", "x-f-"))
    lines = (ALICE, ("x-f-a", "3"), ("x-e-a", "1"), ("x-e-%61", "2"))

    assert user(*lines, trust=trust).extra == (("a", ("1", "2", "3")),)


@pytest.mark.parametrize(
    "lines", [(), (("x-remote-user", ""),), (("x-remote-group", "system:masters"),), (("x_remote_user", "root"),)]
)
def test_without_a_name_nothing_is_said(lines: tuple[tuple[str, str], ...]) -> None:
    """The others mean nothing then, and other ways of authenticating are tried."""
    assert told(*lines) is None


@pytest.mark.parametrize(
    ("names", "believed"),
    [((), True), (("edge",), True), (("other", "edge"), True), (("other",), False), (("",), False)],
)
def test_the_common_name_must_be_allowed(names: tuple[str, ...], believed: bool) -> None:
    """One of the allowed names; without any of them every certificate of the authority is."""
    outcome = told(ALICE, trust=replace(TRUST, allowed_names=frozenset(names)))

    assert isinstance(outcome, Recognised if believed else Failed)


@pytest.mark.parametrize(
    ("certificate", "verified"),
    [
        (DAVE, True),
        (EDGE, False),
        (CertificateAuthority("front proxies").issue("edge", server=False)[0].decode(), True),
        (PROXIES.issue("edge", client=False)[0].decode(), True),
    ],
)
def test_nobody_else_is_believed(certificate: str, verified: bool) -> None:
    """Not a user, not what Envoy has not verified, not another authority of that name, not a server."""
    assert isinstance(told(ALICE, certificate=certificate, verified=verified), Failed)


def test_without_a_certificate_headers_are_air() -> None:
    """Whoever shows none has said nothing."""
    assert told(ALICE, certificate="", verified=False) is None


@pytest.mark.parametrize(
    "line",
    [
        ("x-remote-user", "a\tb"),
        ("x-remote-uid", "\udcff"),
        ("x-remote-group", "a\x7f"),
        ("x-remote-extra-a", "\x01"),
        ("x-remote-extra-%ff", "v"),
    ],
)
def test_what_no_header_can_carry_on_is_refused(line: tuple[str, str]) -> None:
    """A backend would read it otherwise than it was said."""
    lines = {"x-remote-user": "alice", **dict([line])}

    assert isinstance(told(*lines.items()), Failed)


def who(evidence: Evidence, authorities: ClientAuthorities = AUTHORITIES) -> UserInfo | Failed:
    """Whom all ways of authenticating together make of it."""
    authentication = Authentication(TOKENS, anonymous=Anonymous(enabled=True), request_header=TRUST)
    outcome = now(authenticator(authentication, time.time, authorities)(evidence))
    return outcome.user if isinstance(outcome, Recognised) else outcome


def test_a_front_proxys_word_is_asked_first() -> None:
    """Before tokens; and the user gets the group of all who are authenticated."""
    evidence = Evidence(EDGE, True, (("authorization", "Bearer t-bob"),), asserted=(ALICE, ("x-remote-group", "dev")))

    assert UserInfo("alice", groups=("dev", "system:authenticated")) == who(evidence)


def test_a_user_is_no_front_proxy_and_still_a_user() -> None:
    """One way's failure does not stop another: the certificate's own user asks."""
    actual = who(Evidence(DAVE, True, asserted=(ALICE,)))

    assert isinstance(actual, UserInfo)
    assert (actual.name, actual.groups) == ("dave", ("dev", "system:authenticated"))


def test_a_front_proxy_is_no_user() -> None:
    """Without a name its certificate is nobody's: 401 and not its common name, unless the authorities are the same."""
    assert isinstance(who(Evidence(EDGE, True)), Failed)

    actual = who(Evidence(EDGE, True), ClientAuthorities(PROXIES.certificate, PROXIES.certificate))
    assert isinstance(actual, UserInfo)
    assert actual.name == "edge"


def test_a_token_counts_beside_a_front_proxys_certificate() -> None:
    """A front proxy that passes on the user's own token names nobody itself."""
    actual = who(Evidence(EDGE, True, (("authorization", "Bearer t-bob"),)))

    assert isinstance(actual, UserInfo)
    assert actual.name == "bob"


def test_without_users_authorities_certificates_are_nobodys() -> None:
    """As in kube-apiserver without --client-ca-file; what Envoy could not verify is refused all the same."""
    nobody = ClientAuthorities(b"", PROXIES.certificate)

    actual = who(Evidence(EDGE, True), nobody)
    assert isinstance(actual, UserInfo)
    assert actual.name == "system:anonymous"
    assert isinstance(who(Evidence(EDGE), nobody), Failed)


def test_a_user_is_believed_no_longer_than_the_authority_behind() -> None:
    """The chain's end counts when it comes before the certificate's own."""
    between = CertificateAuthority("between", USERS)
    long = between.issue("dave", server=False, lifetime=timedelta(days=10))[0].decode()
    evidence = Evidence(long, True, certificate_chain=long + between.certificate.decode())
    authentication = Authentication(request_header=TRUST)

    outcome = now(authenticator(authentication, time.time, AUTHORITIES)(evidence))

    assert isinstance(outcome, Recognised)
    assert outcome.until < time.time() + 2 * DAY
