"""Which judge a token comes before, and what is remembered of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt import authenticators
from controlplane.auth.jwt.authenticators import JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.configuration import ClaimMapping, Issuer, JwtIssuer
from controlplane.auth.jwt.keys import KeyRing, VerificationKey
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens

NOW = 1_700_000_000.0


def claims(number: int = 1) -> dict[str, object]:
    """Good claims of the issuer below."""
    return {"iss": "https://a", "sub": "jane", "aud": "isthmus", "exp": NOW + 600, "jti": str(number)}


@pytest.fixture
def configuration(verification_key: VerificationKey) -> JwtConfiguration:
    """One issuer whose key is at hand."""
    issuer = JwtIssuer(Issuer("https://a", ("isthmus",)), ClaimMapping("sub"), keys=(verification_key,))
    return JwtConfiguration((issuer,))


def made(configuration: JwtConfiguration) -> JwtAuthenticators:
    """Authenticators whose clocks stand still."""
    return JwtAuthenticators(configuration, clock=lambda: NOW, timer=lambda: 0.0)


async def test_a_token_is_verified_once(configuration: JwtConfiguration, signed: Callable[..., str]) -> None:
    """The same token again costs no signature; a failure is verified every time."""
    good, bad = signed(claims()), signed(claims(), key=ec.generate_private_key(ec.SECP256R1()))
    with patch.object(KeyRing, "verifies", autospec=True, side_effect=KeyRing.verifies) as verifies:
        async with made(configuration) as judge:
            outcomes = [await judge.authenticate(token) for token in (good, good, good, bad, bad)]

    assert [type(outcome) for outcome in outcomes] == [Recognised] * 3 + [Failed] * 2
    assert verifies.call_count == 3


async def test_what_is_remembered_is_bounded(
    configuration: JwtConfiguration, signed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token that was not used for longest is forgotten first."""
    monkeypatch.setattr(authenticators, "_MOST_REMEMBERED", 2)
    first, second, third = (signed(claims(number)) for number in range(3))
    with patch.object(KeyRing, "verifies", autospec=True, side_effect=KeyRing.verifies) as verifies:
        async with made(configuration) as judge:
            for token in (first, second, first, third, first, second):
                assert isinstance(await judge.authenticate(token), Recognised)

    assert verifies.call_count == 4


async def test_no_token_is_kept(configuration: JwtConfiguration, signed: Callable[..., str]) -> None:
    """What is remembered holds no part of a token."""
    token = signed(claims())
    async with made(configuration) as judge:
        await judge.authenticate(token)
        kept = repr(vars(judge._remembered))

    assert not any(part in kept for part in token.split("."))


async def test_an_issuer_of_both_kinds_is_tried_as_both(
    verification_key: VerificationKey, signed: Callable[..., str]
) -> None:
    """With the legacy issuer among those of bound tokens, either kind of token is believed."""
    tokens = ServiceAccountTokens(
        ("kubernetes/serviceaccount",), (replace(verification_key, key_id="one"),), legacy=True
    )
    account = {"namespace": "web", "serviceaccount": {"name": "shop", "uid": "u"}}
    async with made(JwtConfiguration(service_accounts=tokens)) as judge:
        outcome = await judge.authenticate(signed({"iss": "kubernetes/serviceaccount", "kubernetes.io": account}))
        neither = await judge.authenticate(signed({"iss": "kubernetes/serviceaccount"}))

    assert isinstance(outcome, Recognised)
    assert neither == Failed("service account token has no claim kubernetes.io")


async def test_nothing_configured_knows_no_token(signed: Callable[..., str]) -> None:
    """Without issuers every token is of another kind."""
    async with made(JwtConfiguration()) as judge:
        assert await judge.authenticate(signed(claims())) is None


async def test_a_bad_authority_stops_the_entering() -> None:
    """A certificate authority that is no certificate raises on entering, and nothing stays open."""
    issuer = Issuer("https://a", ("isthmus",), certificate_authority="nonsense")
    with pytest.raises(OSError, match=r"PEM|certificate|no start line"):
        async with made(JwtConfiguration((JwtIssuer(issuer, ClaimMapping("sub")),))):
            pass


async def test_issuers_of_one_authority_share_what_trusts_it() -> None:
    """The system's roots are read once, however many issuers there are and whatever is asked of them."""
    issuers = tuple(
        JwtIssuer(Issuer(f"https://127.0.0.1:1/{name}", ("isthmus",)), ClaimMapping("sub"), ClaimMapping("groups"))
        for name in ("a", "b", "c")
    )
    with patch.object(ssl, "create_default_context", side_effect=ssl.create_default_context) as read:
        async with made(JwtConfiguration(issuers)):
            pass

    assert read.call_count == 1
