"""Tokens taken apart."""

from __future__ import annotations

import base64
import json

import pytest

from controlplane.auth.jwt.compact import unverified


def part(value: object) -> str:
    """One part of a token: JSON, or the bytes as they are, in base64url."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


LONE_SURROGATE = b'{"iss": "x", "sub": "\\ud800"}'
HEADER = {"alg": "ES256", "kid": "one"}
CLAIMS = {"iss": "https://issuer.example.org", "sub": "jane"}


def test_a_token_has_its_parts() -> None:
    """Header, claims, what is signed and the signature are found."""
    token = unverified(f"{part(HEADER)}.{part(CLAIMS)}.{part(b'signature')}")

    assert token is not None
    assert (token.algorithm, token.key_id, token.issuer) == ("ES256", "one", "https://issuer.example.org")
    assert token.claims == CLAIMS
    assert token.signed == f"{part(HEADER)}.{part(CLAIMS)}".encode()
    assert token.signature == b"signature"


def test_a_key_id_that_is_null_is_none() -> None:
    """To Go's decoder it is the empty string, so the token names no key."""
    token = unverified(f"{part({'alg': 'ES256', 'kid': None})}.{part(CLAIMS)}.AA")

    assert token is not None
    assert token.key_id == ""


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        f"{part(HEADER)}.{part(CLAIMS)}",
        f"{part(HEADER)}.{part(CLAIMS)}.x.y",
        f"{part([])}.{part(CLAIMS)}.x",
        f"{part(HEADER)}.{part('text')}.AA",
        f"{part(HEADER)}.{part({'sub': 'jane'})}.AA",
        f"{part(HEADER)}.{part({'iss': 1})}.AA",
        f"{part({})}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'ES256', 'kid': 1})}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'ES256', 'crit': ['b64']})}.{part(CLAIMS)}.AA",
        f"{part(HEADER)}=.{part(CLAIMS)}.AA",
        f"{part(HEADER)}.{part(CLAIMS)}.A+/A",
        f"{part(HEADER)}.{part(CLAIMS)}.AAAAA",
        f" {part(HEADER)}.{part(CLAIMS)}.AA",
        f"{part(HEADER)}.{part(b'[' * 5000)}.AA",
        f"{part(HEADER)}.{part(bytes([0xFF]))}.AA",
        f"{part(HEADER)}.{part(b'{iss: 1}')}.AA",
        f"{part(HEADER)}.{part(LONE_SURROGATE)}.AA",
        f"{part(HEADER)}.{part({'iss': 'x' * 70000})}.AA",
        "{}",
        "\udcff.\udcff.\udcff",
    ],
)
def test_other_tokens_are_of_no_kind(token: str) -> None:
    """What is no JWS in compact form with an issuer is nobody's token."""
    assert unverified(token) is None


def test_a_token_is_not_shown() -> None:
    """The repr holds neither claims nor signature."""
    shown = repr(unverified(f"{part(HEADER)}.{part(CLAIMS)}.{part(b'signature')}"))

    assert "jane" not in shown
    assert part(CLAIMS) not in shown
    assert "signature" not in shown.replace("signature=", "")
