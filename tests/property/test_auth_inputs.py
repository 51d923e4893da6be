"""Whatever a client, an issuer or a front proxy says, authentication has an outcome and raises nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from now import now
from odd_values import CLAIM_NAMES, JSON, NOWHERE, TEXTS
from pki import CertificateAuthority

from controlplane.auth.authenticate import Anonymous, Authentication, authenticator
from controlplane.auth.certificate import ClientCertificate, read_certificate
from controlplane.auth.evidence import Evidence, Failed, Outcome, Recognised
from controlplane.auth.front_proxy import RequestHeaderTrust, front_proxy, used
from controlplane.auth.identity_headers import identity_headers
from controlplane.auth.jwt.authenticators import JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.compact import Unverified, unverified
from controlplane.auth.jwt.configuration import ClaimMapping, ClaimRule, ExtraMapping, Issuer, JwtIssuer, UserRule
from controlplane.auth.jwt.fetch import FetchFailed
from controlplane.auth.jwt.keys import KeyRing, NoKeys, VerificationKey, keys_of_jwks, keys_of_pem
from controlplane.auth.jwt.remote import KeySource, RemoteKeys
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens, recognised_bound, recognised_legacy
from controlplane.auth.tokens import TokenTable
from controlplane.model.credentials import ClientAuthorities

KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
VERIFICATION = VerificationKey("one", SPKI)
AUTHORITY = CertificateAuthority("front proxies")
CERTIFICATE = AUTHORITY.issue("proxy-1", organizations=["dev"])[0].decode()
DER = x509.load_pem_x509_certificate(CERTIFICATE.encode()).public_bytes(Encoding.DER)

CLAIMS = st.dictionaries(CLAIM_NAMES, JSON, max_size=8)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "zip", "x5c"]), JSON, max_size=4)

# The library warns of odd serial numbers and country names, and reads such certificates all the same.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ISSUER = JwtIssuer(
    Issuer(NOWHERE, ("isthmus",)),
    ClaimMapping(claim="sub", prefix="oidc:"),
    ClaimMapping(claim="groups"),
    uid=ClaimMapping(expression="claims.?jti.orValue('')"),
    extra=(ExtraMapping("example.org/e", "claims.?email.orValue('')"),),
    claim_rules=(ClaimRule(expression="claims.sub != 'nobody'"),),
    user_rules=(UserRule("user.username != 'nobody'"),),
    keys=(VERIFICATION,),
)
ACCOUNTS = ServiceAccountTokens((NOWHERE,), (VERIFICATION,), ("isthmus",), legacy=True)


@pytest.fixture(scope="module")
def judging() -> Iterator[Any]:
    """What authenticates a token, with an event loop of its own."""
    judges = JwtAuthenticators(JwtConfiguration((ISSUER,), ACCOUNTS), timeout=0.05)
    with asyncio.Runner() as runner:
        runner.run(judges.__aenter__())
        yield lambda token: runner.run(judges.authenticate(token))
        runner.run(judges.__aexit__())


def checked(outcome: object) -> None:
    """It is an outcome, and whoever was recognised can be told to a backend."""
    assert outcome is None or isinstance(outcome, Recognised | Failed)
    if isinstance(outcome, Recognised):
        assert identity_headers(outcome.user)


def encoded(value: object) -> str:
    """JSON in base64url, as it is in a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode(errors="surrogatepass")).rstrip(b"=").decode()


@given(st.one_of(TEXTS, st.lists(TEXTS, min_size=3, max_size=3).map(".".join)))
@example("..")
@example("e30.e30.")
@example("e30.e30.A")
def test_any_text_is_a_token_or_none(token: str) -> None:
    """Taking it apart gives parts, or says that it has none."""
    parts = unverified(token)

    assert parts is None or isinstance(parts, Unverified)


@given(HEADERS, JSON, st.binary(max_size=80))
def test_what_nobody_signed_is_refused(judging: Any, headers: object, claims: object, signature: bytes) -> None:  # noqa: ANN401
    """Whatever a client writes into header and claims."""
    last = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    outcome: Outcome = judging(f"{encoded(headers)}.{encoded(claims)}.{last}")

    assert outcome is None or isinstance(outcome, Failed)


@given(CLAIMS)
@example({"iss": NOWHERE, "aud": "isthmus", "exp": 1e308, "sub": "jane"})
@example({"iss": NOWHERE, "aud": "isthmus", "exp": 2**64, "sub": "jane", "_claim_names": {"groups": "one"}})
def test_what_an_issuer_signs_has_an_outcome(judging: Any, claims: dict[str, Any]) -> None:  # noqa: ANN401
    """Whatever types and values its claims have, and wherever they are kept."""
    good = {"iss": NOWHERE, "aud": "isthmus", "exp": time.time() + 600, "sub": "jane"}
    payload = json.dumps(good | claims).encode(errors="surrogatepass")
    checked(judging(jwt.api_jws.encode(payload, KEY, algorithm="ES256", headers={"kid": "one"})))


@given(CLAIMS)
def test_claims_of_service_accounts_have_an_outcome(claims: dict[str, Any]) -> None:
    """Of both kinds of tokens."""
    for judge in (recognised_bound, recognised_legacy):
        checked(judge(claims, ACCOUNTS, time.time()))


@given(st.one_of(st.binary(max_size=64), JSON.map(lambda value: json.dumps(value).encode(errors="surrogatepass"))))
@example(b'{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}')
@example(b'{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}')
@example(b'{"keys":[{"kty":"RSA","n":"AQAB","e":"AA","kid":3},{"kty":[]},7]}')
def test_any_document_is_a_key_set_or_none(document: bytes) -> None:
    """Keys that cannot be used are left out."""
    assert isinstance(keys_of_jwks(document), tuple | NoKeys)


JWK_VALUES = st.one_of(JSON, st.sampled_from(["RSA", "EC", "oct", "OKP", "sig", "enc", "P-256", "P-521", "AQAB"]))


@given(
    st.dictionaries(
        st.sampled_from(["kty", "use", "kid", "alg", "crv", "x", "y", "n", "e", "d", "p", "q", "k", "x5c", "oth"]),
        JWK_VALUES,
    )
)
def test_any_key_of_a_key_set_can_be_used_or_is_left_out(entry: dict[str, Any]) -> None:
    """What is taken for a key verifies signatures."""
    keys = keys_of_jwks(json.dumps({"keys": [entry]}).encode(errors="surrogatepass"))

    assert isinstance(keys, tuple | NoKeys)
    if isinstance(keys, tuple):
        assert KeyRing(keys) is not None


@given(st.one_of(TEXTS, st.binary(max_size=64).map(lambda data: pem("PUBLIC KEY", data))))
def test_any_text_is_keys_or_none(text: str) -> None:
    """PEM blocks of anything at all."""
    assert isinstance(keys_of_pem(text), tuple | NoKeys)


@given(st.lists(st.one_of(st.binary(max_size=64), JSON), min_size=2, max_size=2))
def test_any_answer_of_an_issuer_is_keys_or_a_reason(answers: list[object]) -> None:
    """Discovery documents and key sets; whoever waits for them is told that there are none."""
    texts = iter([each if isinstance(each, bytes) else json.dumps(each).encode("utf-8", "replace") for each in answers])

    async def asked() -> bool | None:
        async def fetch(_: str) -> bytes | FetchFailed:
            return next(texts, FetchFailed("there is no more"))

        moments = iter(range(100))
        remote = RemoteKeys(
            KeySource.by_discovery(NOWHERE, ""), fetch, lambda: float(10 * next(moments)), asyncio.sleep, KeyRing()
        )
        return await remote.verifies(Unverified("ES256", "one", NOWHERE, {}, b"", b""))

    assert asyncio.run(asked()) is False


def pem(kind: str, der: bytes) -> str:
    """A PEM block."""
    return f"-----BEGIN {kind}-----\n{base64.b64encode(der).decode()}\n-----END {kind}-----\n"


def spoiled(changes: list[tuple[int, int]]) -> str:
    """The certificate with some bytes changed."""
    der = bytearray(DER)
    for place, value in changes:
        der[place % len(der)] = value
    return pem("CERTIFICATE", bytes(der))


def replaced(old: bytes, new: bytes) -> str:
    """The certificate with some bytes changed for others that are as many."""
    assert DER.count(old) == 1
    return pem("CERTIFICATE", DER.replace(old, new))


CERTIFICATES = st.one_of(
    TEXTS,
    st.binary(max_size=64).map(partial(pem, "CERTIFICATE")),
    st.lists(st.tuples(st.integers(0, len(DER)), st.integers(0, 255)), max_size=3).map(spoiled),
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["x-remote-user", "x-remote-uid", "x-remote-group", "x-remote-extra-", "x-remote-extra-%41%"])
        | TEXTS.map(lambda text: f"x-remote-extra-{text}"),
        TEXTS,
    ),
    max_size=6,
).map(tuple)
TRUST = RequestHeaderTrust(uid_headers=("x-remote-uid",))


@given(CERTIFICATES)
@example(replaced(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"))
@example(replaced(b"\x06\x03\x55\x1d\x0f", b"\x06\x03\x55\x1d\x25"))
def test_any_certificate_can_be_read_or_fails(text: str) -> None:
    """What Envoy has verified is looked at all the same."""
    assert isinstance(read_certificate(text), ClientCertificate | Failed)


@given(CERTIFICATES, CERTIFICATES, LINES)
@example(replaced(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"), "", (("x-remote-user", "alice"),))
@example(CERTIFICATE, CERTIFICATE, (("x-remote-user", "alice"), ("x-remote-extra-%ff", "\udcff")))
def test_the_word_of_a_front_proxy_has_an_outcome(leaf: str, chain: str, lines: tuple[tuple[str, str], ...]) -> None:
    """Whatever certificate is shown and whatever it says."""
    evidence = Evidence(leaf, certificate_verified=True, certificate_chain=chain, asserted=lines)
    checked(now(front_proxy(TRUST, AUTHORITY.certificate, time.time)(evidence)))


@given(LINES)
def test_whom_a_front_proxy_names_can_be_told_to_a_backend(lines: tuple[tuple[str, str], ...]) -> None:
    """And the headers that count are among those that were shown."""
    evidence = Evidence(CERTIFICATE, certificate_verified=True, certificate_chain=CERTIFICATE, asserted=lines)
    outcome = now(front_proxy(TRUST, AUTHORITY.certificate, time.time)(evidence))

    checked(outcome)
    assert {name for name, _ in lines} >= set(used(TRUST, evidence))
    if isinstance(outcome, Recognised):
        assert outcome.user.name in [value for name, value in lines if name == "x-remote-user"]


REQUEST_LINES = st.lists(
    st.tuples(
        st.sampled_from(["authorization", "sec-websocket-protocol", "upgrade", "connection"]),
        st.one_of(
            TEXTS,
            TEXTS.map(lambda text: f"Bearer {text}"),
            TEXTS.map(lambda text: f"base64url.bearer.authorization.k8s.io.{text}, v4.channel.k8s.io"),
            st.sampled_from(["websocket", "Upgrade"]),
        ),
    ),
    max_size=6,
).map(tuple)


@given(REQUEST_LINES, CERTIFICATES, st.booleans(), TEXTS)
def test_any_request_is_somebodys_or_nobodys(
    headers: tuple[tuple[str, str], ...], certificate: str, verified: bool, target: str
) -> None:
    """Of all kinds of evidence at once."""
    authentication = Authentication(
        TokenTable(b"k" * 16, {}), request_header=TRUST, anonymous=Anonymous(enabled=True, paths=frozenset({"/"}))
    )
    authorities = ClientAuthorities(AUTHORITY.certificate, AUTHORITY.certificate)
    evidence = Evidence(certificate, verified, headers, target, certificate)
    outcome = now(authenticator(authentication, time.time, authorities)(evidence))

    assert outcome is not None
    checked(outcome)
