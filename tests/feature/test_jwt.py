"""Tokens of issuers and service accounts against a real HTTPS issuer on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pki import CertificateAuthority
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.authenticators import REMEMBERED, JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.configuration import ClaimMapping, Issuer, JwtIssuer
from controlplane.auth.jwt.fetch import MOST_BYTES, FetchFailed, fetching
from controlplane.auth.jwt.keys import VerificationKey
from controlplane.auth.jwt.metrics import JwtMetrics
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens
from controlplane.model.identity import UserInfo

SERVICE_ACCOUNTS = "https://kubernetes.default.svc"


class OpenIdIssuer:
    """An OpenID Connect issuer on a port of its own, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority("issuer CA")
        certificate, key = self.authority.issue("issuer", ip_addresses=["127.0.0.1"])
        (folder / "tls.pem").write_bytes(certificate + key)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(folder / "tls.pem")
        self.keys = {"one": ec.generate_private_key(ec.SECP256R1())}
        self.asked: list[str] = []
        self.body: bytes | None = None
        self.stalled = asyncio.Event()
        self.stalled.set()
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The issuer's name and address."""
        return f"https://127.0.0.1:{self.port}/tenant"

    @property
    def configuration(self) -> JwtIssuer:
        """An entry of `jwt` for this issuer."""
        issuer = Issuer(self.url, ("isthmus",), certificate_authority=self.authority.certificate.decode())
        return JwtIssuer(issuer, ClaimMapping("sub", "oidc:"), ClaimMapping("groups"))

    def token(self, kid: str = "one", key: ec.EllipticCurvePrivateKey | None = None, **claims: Any) -> str:  # noqa: ANN401
        """A token of the issuer."""
        good = {"iss": self.url, "sub": "jane", "aud": "isthmus", "exp": time.time() + 600, "groups": ["dev"]}
        return jwt.encode(good | claims, key or self.keys[kid], algorithm="ES256", headers={"kid": kid})

    async def start(self) -> None:
        """Listens, on the port of before if there was one."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context)
        await site.start()
        self.port = self.port or self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await self.stalled.wait()
        if self.body is not None:
            return web.Response(body=self.body)
        if request.path == "/tenant/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"https://127.0.0.1:{self.port}/jwks"})
        if request.path == "/jwks":
            return web.json_response({"keys": [public_jwk(kid, key) for kid, key in self.keys.items()]})
        if request.path == "/moved":
            raise web.HTTPFound("/jwks")
        if request.path == "/insecure":
            raise web.HTTPFound(f"http://127.0.0.1:{self.port}/jwks")
        raise web.HTTPNotFound


def public_jwk(kid: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The public half of a key as a JSON Web Key."""
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[OpenIdIssuer]:
    """A running issuer."""
    made = OpenIdIssuer(tmp_path)
    await made.start()
    yield made
    await made.stop()


class Times:
    """Clocks and pauses in the test's hands: the steady clock stands still until it is moved, pauses last for ever."""

    def __init__(self) -> None:
        self.steady = 0.0
        self.wall_offset = 0.0
        self.paused = asyncio.Event()
        self._woken = asyncio.Event()

    def wall(self) -> float:
        """Unix seconds."""
        return time.time() + self.wall_offset

    async def pause(self, _: float) -> None:
        """Lasts until `wake`."""
        self._woken.clear()
        self.paused.set()
        await self._woken.wait()

    async def wake(self) -> None:
        """Ends the pause and waits for the next."""
        self.paused.clear()
        self._woken.set()
        await self.paused.wait()


@asynccontextmanager
async def verifying(
    configuration: JwtConfiguration, times: Times, seconds: float = 10.0
) -> AsyncIterator[JwtAuthenticators]:
    """Authenticators after the first fetch of every issuer, whether it brought anything or not."""
    authenticators = JwtAuthenticators(
        configuration, clock=times.wall, timer=lambda: times.steady, pause=times.pause, timeout=seconds
    )
    async with authenticators:
        await times.paused.wait()
        yield authenticators


def of(issuer: OpenIdIssuer) -> JwtConfiguration:
    """The configuration that believes this issuer."""
    return JwtConfiguration((issuer.configuration,))


async def test_a_token_is_its_user(issuer: OpenIdIssuer) -> None:
    """Discovery, keys, signature, claims: the user is recognised until `exp`, again and again."""
    async with verifying(of(issuer), Times()) as authenticators:
        token = issuer.token(exp=4_000_000_000)
        outcome = await authenticators.authenticate(token)

        assert outcome == Recognised(UserInfo("oidc:jane", groups=("dev",)), until=4_000_000_000)
        assert await authenticators.authenticate(token) == outcome
        assert issuer.asked == ["/tenant/.well-known/openid-configuration", "/jwks"]


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "e30.e30.e30"])
async def test_other_tokens_are_of_another_kind(token: str, issuer: OpenIdIssuer) -> None:
    """What is no JWT is left to other authenticators."""
    async with verifying(of(issuer), Times()) as authenticators:
        assert await authenticators.authenticate(token) is None


async def test_a_token_of_another_issuer_is_of_another_kind(issuer: OpenIdIssuer) -> None:
    """Only `iss` to the letter makes a token an issuer's."""
    async with verifying(of(issuer), Times()) as authenticators:
        assert await authenticators.authenticate(issuer.token(iss=f"{issuer.url}/")) is None
        assert await authenticators.authenticate(issuer.token(iss="kubernetes/serviceaccount")) is None


async def test_refusals_hold_no_secret(issuer: OpenIdIssuer) -> None:
    """A token that does not hold fails with a reason, and neither reason, repr nor log holds a part of it."""
    other = ec.generate_private_key(ec.SECP256R1())
    tokens = [
        issuer.token(key=other),
        issuer.token(exp=time.time() - 1),
        issuer.token(nbf=time.time() + 600),
        issuer.token(aud="other"),
        issuer.token(sub=1),
        issuer.token(sub="jane\0"),
        issuer.token(groups=1),
        issuer.token(kid="unknown", key=other),
        jwt.encode({"iss": issuer.url, "sub": "jane", "aud": "isthmus"}, "x" * 32, algorithm="HS256"),
        jwt.encode({"iss": issuer.url, "sub": "jane", "aud": "isthmus", "exp": 4e9}, None, algorithm="none"),
    ]
    with capture_logs() as logs:
        async with verifying(of(issuer), Times()) as authenticators:
            outcomes = [await authenticators.authenticate(token) for token in tokens]
            shown = f"{outcomes} {logs} {authenticators!r}"

    assert all(isinstance(outcome, Failed) for outcome in outcomes)
    assert not any(part and part in shown for token in tokens for part in token.split("."))


async def test_a_rotated_key_is_found(issuer: OpenIdIssuer) -> None:
    """The first token of a new key makes the keys be fetched; the old key's tokens end with the old key."""
    times = Times()
    async with verifying(of(issuer), times) as authenticators:
        old = issuer.token()
        issuer.keys = {"two": ec.generate_private_key(ec.SECP256R1())}
        times.steady += 60

        assert isinstance(await authenticators.authenticate(old), Recognised)
        assert isinstance(await authenticators.authenticate(issuer.token("two")), Recognised)
        times.steady += REMEMBERED
        assert isinstance(await authenticators.authenticate(old), Failed)


async def test_a_verified_token_is_remembered_for_ten_seconds_and_never_past_its_end(issuer: OpenIdIssuer) -> None:
    """A success is not judged again for 10 s, unless the token ends before."""
    times = Times()
    async with verifying(of(issuer), times) as authenticators:
        token, brief = issuer.token(), issuer.token(exp=time.time() + 60)
        assert isinstance(await authenticators.authenticate(token), Recognised)
        assert isinstance(await authenticators.authenticate(brief), Recognised)
        times.wall_offset = 61

        assert isinstance(await authenticators.authenticate(token), Recognised)
        assert isinstance(await authenticators.authenticate(brief), Failed)


async def test_an_issuer_that_is_down_fails_only_its_own_tokens(issuer: OpenIdIssuer) -> None:
    """Its tokens fail until it is back, others are judged, one line is logged; known keys outlive a later outage."""
    times = Times()
    await issuer.stop()
    accounts = ec.generate_private_key(ec.SECP256R1())
    configuration = replace(of(issuer), service_accounts=service_account_tokens(accounts))
    with capture_logs() as logs:
        async with verifying(configuration, times) as authenticators:
            for _ in range(3):
                await times.wake()
            assert await authenticators.authenticate(issuer.token()) == Failed("oidc: authenticator not initialized")
            assert isinstance(await authenticators.authenticate(service_account_token(accounts)), Recognised)
            assert authenticators.known_keys() == {}
            assert len(logs) == 1

            await issuer.start()
            await times.wake()
            assert isinstance(await authenticators.authenticate(issuer.token()), Recognised)

            await issuer.stop()
            await times.wake()
            assert isinstance(await authenticators.authenticate(issuer.token(sub="john")), Recognised)


async def test_a_successor_has_the_keys_at_once(issuer: OpenIdIssuer) -> None:
    """What takes the place of authenticators has the keys of unchanged issuers, of others not."""
    stranger = replace(
        issuer.configuration, issuer=replace(issuer.configuration.issuer, discovery_url=f"{issuer.url}/other")
    )
    async with verifying(of(issuer), Times()) as before:
        await issuer.stop()
        async with JwtAuthenticators(of(issuer), predecessor=before) as after:
            assert len(after.known_keys()) == 1
            assert isinstance(await after.authenticate(issuer.token()), Recognised)
        async with JwtAuthenticators(JwtConfiguration((stranger,)), predecessor=before) as after:
            assert after.known_keys() == {}
            assert isinstance(await after.authenticate(issuer.token()), Failed)


async def test_authenticators_that_were_left_still_judge(issuer: OpenIdIssuer) -> None:
    """A request that outlives its authenticators is judged by the keys they had."""
    times = Times()
    async with verifying(of(issuer), times) as authenticators:
        pass
    times.steady += 60
    forged = issuer.token(key=ec.generate_private_key(ec.SECP256R1()))

    assert isinstance(await authenticators.authenticate(issuer.token()), Recognised)
    assert isinstance(await authenticators.authenticate(forged), Failed)


async def test_an_issuer_of_another_authority_gives_no_keys(issuer: OpenIdIssuer) -> None:
    """A certificate by another authority is not believed."""
    stranger = CertificateAuthority("stranger").certificate.decode()
    entry = replace(issuer.configuration, issuer=replace(issuer.configuration.issuer, certificate_authority=stranger))
    with capture_logs() as logs:
        async with verifying(JwtConfiguration((entry,)), Times()) as authenticators:
            assert isinstance(await authenticators.authenticate(issuer.token()), Failed)

    assert "certificate verify failed" in logs[0]["reason"].lower()
    assert issuer.asked == []


@pytest.mark.parametrize("body", [b"x" * (MOST_BYTES + 1), b"[" * 100_000, b"", b"\xff\xfe"])
async def test_documents_that_are_huge_or_no_json_give_no_keys(body: bytes, issuer: OpenIdIssuer) -> None:
    """Reading ends after a mebibyte, and nonsense is a failure."""
    issuer.body = body
    async with verifying(of(issuer), Times()) as authenticators:
        assert await authenticators.authenticate(issuer.token()) == Failed("oidc: authenticator not initialized")


async def test_a_slow_issuer_is_given_up(issuer: OpenIdIssuer) -> None:
    """An answer that does not come within the time limit is a failure."""
    issuer.stalled.clear()
    with capture_logs() as logs:
        async with verifying(of(issuer), Times(), seconds=0.2) as authenticators:
            assert isinstance(await authenticators.authenticate(issuer.token()), Failed)

    assert "no whole answer within 0.2 s" in logs[0]["reason"]


async def test_a_discovery_url_takes_the_place_of_the_well_known_one(issuer: OpenIdIssuer) -> None:
    """The document is fetched from discoveryURL, and still must name the issuer."""
    inside = f"{issuer.url}/.well-known/openid-configuration"
    outside = "https://issuer.example.org"
    entry = replace(
        issuer.configuration, issuer=replace(issuer.configuration.issuer, url=outside, discovery_url=inside)
    )
    issuer.body = json.dumps({"issuer": outside, "jwks_uri": f"https://127.0.0.1:{issuer.port}/jwks"}).encode()
    with capture_logs() as logs:
        async with verifying(JwtConfiguration((entry,)), Times()):
            pass

    assert issuer.asked == ["/tenant/.well-known/openid-configuration", "/jwks"]
    assert "no JSON Web Key Set" in logs[0]["reason"]


@pytest.mark.parametrize(("path", "reason"), [("/moved", None), ("/insecure", ""), ("/nowhere", "HTTP status 404")])
async def test_redirects_stay_on_https(path: str, reason: str | None, issuer: OpenIdIssuer) -> None:
    """A redirect is followed, but not to an address without TLS."""
    async with fetching(issuer.authority.certificate.decode()) as fetch:
        document = await fetch(f"https://127.0.0.1:{issuer.port}{path}")

    assert isinstance(document, FetchFailed) == (reason is not None)
    assert reason is None or (isinstance(document, FetchFailed) and reason in document.reason)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "https://", "https://[", "nonsense"])
async def test_only_https_is_fetched(url: str) -> None:
    """Whatever is no https address is a failure without a connection."""
    async with fetching("") as fetch:
        assert isinstance(await fetch(url), FetchFailed)


def service_account_tokens(key: ec.EllipticCurvePrivateKey, *, legacy: bool = False) -> ServiceAccountTokens:
    """What believes tokens that `key` signed."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return ServiceAccountTokens((SERVICE_ACCOUNTS,), (VerificationKey("sa", der),), legacy=legacy)


def service_account_token(key: ec.EllipticCurvePrivateKey, kid: str = "sa", **claims: object) -> str:
    """A token of the service account web/shop."""
    good = {
        "iss": SERVICE_ACCOUNTS,
        "aud": [SERVICE_ACCOUNTS],
        "exp": time.time() + 600,
        "kubernetes.io": {"namespace": "web", "serviceaccount": {"name": "shop", "uid": "u1"}},
    }
    return jwt.encode(good | claims, key, algorithm="ES256", headers={"kid": kid})


@asynccontextmanager
async def believing(tokens: ServiceAccountTokens) -> AsyncIterator[JwtAuthenticators]:
    """Authenticators for service accounts whose keys are at hand."""
    async with JwtAuthenticators(JwtConfiguration(service_accounts=tokens)) as authenticators:
        yield authenticators


async def test_a_service_account_token_is_its_account() -> None:
    """Signature and claims make the service account; another key's signature does not."""
    key = ec.generate_private_key(ec.SECP256R1())
    async with believing(service_account_tokens(key)) as authenticators:
        outcome = await authenticators.authenticate(service_account_token(key))
        forged = service_account_token(ec.generate_private_key(ec.SECP256R1()))

        assert isinstance(outcome, Recognised)
        assert outcome.user.name == "system:serviceaccount:web:shop"
        assert await authenticators.authenticate(forged) == Failed("invalid signature")


@pytest.mark.parametrize("legacy", [True, False])
async def test_legacy_tokens_are_believed_only_where_asked_for(legacy: bool) -> None:
    """A token from a Secret is of no known kind until legacy tokens are switched on."""
    key = ec.generate_private_key(ec.SECP256R1())
    prefix = "kubernetes.io/serviceaccount/"
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:web:shop",
        f"{prefix}namespace": "web",
        f"{prefix}secret.name": "shop-token",
        f"{prefix}service-account.name": "shop",
        f"{prefix}service-account.uid": "u1",
    }
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "sa"})
    async with believing(service_account_tokens(key, legacy=legacy)) as authenticators:
        outcome = await authenticators.authenticate(token)

    assert isinstance(outcome, Recognised) is legacy
    assert (outcome is None) is not legacy


async def test_service_account_keys_are_fetched(issuer: OpenIdIssuer) -> None:
    """The key set at jwksURI verifies, and a rotated key is found."""
    times = Times()
    tokens = ServiceAccountTokens(
        (SERVICE_ACCOUNTS,),
        jwks_url=f"https://127.0.0.1:{issuer.port}/jwks",
        certificate_authority=issuer.authority.certificate.decode(),
    )
    async with verifying(JwtConfiguration(service_accounts=tokens), times) as authenticators:
        first = await authenticators.authenticate(service_account_token(issuer.keys["one"], "one"))
        issuer.keys = {"two": ec.generate_private_key(ec.SECP256R1())}
        times.steady += 60
        second = await authenticators.authenticate(service_account_token(issuer.keys["two"], "two"))

    assert isinstance(first, Recognised)
    assert isinstance(second, Recognised)
    assert issuer.asked == ["/jwks", "/jwks"]


async def test_keys_of_an_issuer_can_be_given() -> None:
    """An issuer whose keys are at hand is never asked for them."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    entry = JwtIssuer(
        Issuer("https://nowhere.invalid", ("isthmus",)), ClaimMapping("sub"), keys=(VerificationKey("", der),)
    )
    claims = {"iss": "https://nowhere.invalid", "sub": "jane", "aud": "isthmus", "exp": 4_000_000_000}
    async with JwtAuthenticators(JwtConfiguration((entry,))) as authenticators:
        outcome = await authenticators.authenticate(jwt.encode(claims, key, algorithm="ES256"))

    assert outcome == Recognised(UserInfo("jane"), until=4_000_000_000)


async def test_google_may_leave_out_its_scheme() -> None:
    """A token of accounts.google.com is one of https://accounts.google.com."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    entry = JwtIssuer(
        Issuer("https://accounts.google.com", ("isthmus",)), ClaimMapping("sub"), keys=(VerificationKey("", der),)
    )
    claims = {"iss": "accounts.google.com", "sub": "jane", "aud": "isthmus", "exp": 4_000_000_000}
    async with JwtAuthenticators(JwtConfiguration((entry,))) as authenticators:
        assert isinstance(await authenticators.authenticate(jwt.encode(claims, key, algorithm="ES256")), Recognised)


async def test_fetches_and_judgements_are_counted(issuer: OpenIdIssuer) -> None:
    """Each token once that was not judged a moment ago, and when keys were had, or not, the last time."""
    registry, times = CollectorRegistry(), Times()
    metrics = JwtMetrics(registry, lambda: 1000.0 + times.steady)
    prefix = "apiserver_authentication_jwt_authenticator"
    told = {"jwt_issuer_hash": f"sha256:{hashlib.sha256(issuer.url.encode()).hexdigest()}"}
    judging = JwtAuthenticators(
        of(issuer), clock=times.wall, timer=lambda: times.steady, pause=times.pause, metrics=metrics
    )
    async with judging:
        await times.paused.wait()
        good = issuer.token()
        for token in (good, good, issuer.token(exp=1), issuer.token(iss="https://other")):
            await judging.authenticate(token)
        times.steady = 300.0
        issuer.body = b"nonsense"
        await times.wake()

        def value(name: str, result: str) -> float | None:
            return registry.get_sample_value(f"{prefix}_{name}", {**told, "result": result})

        assert [value("latency_seconds_count", result) for result in ("success", "failure")] == [1, 1]
        # What a discovery document brings is no key set, and is not counted as one.
        assert [value("jwks_fetch_last_timestamp_seconds", result) for result in ("success", "failure")] == [1000, None]
    async with JwtAuthenticators(JwtConfiguration(), metrics=metrics):
        assert value("jwks_fetch_last_timestamp_seconds", "success") is None
