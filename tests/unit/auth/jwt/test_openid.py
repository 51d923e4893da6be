"""Tokens of OpenID Connect issuers: for whom and when they hold."""

from __future__ import annotations

import pytest

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.configuration import ClaimMapping, Issuer, JwtIssuer
from controlplane.auth.jwt.mapping import UserMapping
from controlplane.auth.jwt.openid import recognised
from controlplane.model.identity import UserInfo

ISSUER = Issuer("https://issuer.example.org", ("isthmus", "other"))
MAPPING = UserMapping(JwtIssuer(ISSUER, ClaimMapping(claim="sub")))
NOW = 1_700_000_000.0


def outcome(**claims: object) -> Recognised | Failed:
    """What a token with these claims beside good ones is."""
    good = {"iss": ISSUER.url, "sub": "jane", "aud": "isthmus", "exp": NOW + 600}
    return recognised({name: value for name, value in (good | claims).items() if value != ...}, ISSUER, MAPPING, NOW)


def test_a_good_token_holds_until_its_end() -> None:
    """The user is recognised until `exp`."""
    assert outcome() == Recognised(UserInfo("jane"), until=NOW + 600)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["x", "other"]},
        {"exp": NOW},
        {"exp": NOW + 0.5},
        {"nbf": NOW + 60},
        {"nbf": NOW - 600},
        {"nbf": None},
        {"iat": NOW + 9999},
        {"exp": f"{NOW + 600:.0f}", "nbf": f"{NOW:.0f}", "iat": "1"},
    ],
)
def test_what_is_accepted(claims: dict[str, object]) -> None:
    """Any configured audience does; the end has no leeway, the beginning a minute, and the issue is not judged."""
    assert isinstance(outcome(**claims), Recognised)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "x"}, "expected audience in ['isthmus', 'other']"),
        ({"aud": []}, "expected audience"),
        ({"aud": ...}, "expected audience"),
        ({"aud": None}, "expected audience"),
        ({"aud": 1}, "aud is no string"),
        ({"aud": ["isthmus", 1]}, "aud is no string"),
        ({"aud": {"isthmus": 1}}, "aud is no string"),
        ({"exp": NOW - 0.5}, "token is expired"),
        ({"exp": ...}, "token is expired"),
        ({"exp": None}, "token is expired"),
        ({"exp": "2099"}, "token is expired"),
        ({"exp": "soon"}, "exp is no number"),
        ({"nbf": f"{NOW + 61:.0f}"}, "token is not valid yet"),
        ({"exp": True}, "exp is no number"),
        ({"nbf": NOW + 61}, "token is not valid yet"),
        ({"nbf": "x"}, "nbf is no number"),
        ({"iat": "x"}, "iat is no number"),
        ({"iat": None}, "iat is no number"),
        ({"sub": ...}, "claim not present"),
    ],
)
def test_what_is_refused(claims: dict[str, object], reason: str) -> None:
    """A token for somebody else, past its end, before its beginning, or with claims of other types is refused."""
    failed = outcome(**claims)

    assert isinstance(failed, Failed)
    assert reason in failed.reason
