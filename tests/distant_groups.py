"""Two OpenID Connect issuers and a place where one of them keeps groups, over real TLS on this machine.

In: what the place answers. Out: tokens, and what was asked. Law: everything is on one port, under one certificate.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from pki import CertificateAuthority

from controlplane.auth.jwt.authenticators import JwtAuthenticators, JwtConfiguration
from controlplane.auth.jwt.configuration import ClaimMapping, Issuer, JwtIssuer
from controlplane.auth.jwt.remote import REFRESH_INTERVAL

ACCESS = "s3cr3t-access-token"


@asynccontextmanager
async def believing(
    configuration: JwtConfiguration,
    seconds: float = 30.0,
    **more: Any,  # noqa: ANN401 - parameters of the authenticators
) -> AsyncIterator[JwtAuthenticators]:
    """Authenticators that have the keys of their one issuer; after so many seconds in all it is a failure."""
    fetched = asyncio.Event()

    async def pause(lasting: float) -> None:
        if lasting == REFRESH_INTERVAL:
            fetched.set()
        await asyncio.sleep(lasting)

    async with JwtAuthenticators(configuration, pause=pause, **more) as authenticators, asyncio.timeout(seconds):
        await fetched.wait()
        yield authenticators


class World:
    """Two issuers, `/own` and `/other`, and the endpoint `/groups`, all on one port with one certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority("issuer CA")
        certificate, key = self.authority.issue("issuer", ip_addresses=["127.0.0.1"], dns_names=["localhost"])
        (folder / "tls.pem").write_bytes(certificate + key)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(folder / "tls.pem")
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("own", "other")}
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[web.Request], web.StreamResponse] = lambda _: web.Response(text=self.groups("own"))
        self.answering = asyncio.Event()
        self.answering.set()
        self.arrived = asyncio.Event()
        self.port = 0

    def url(self, path: str) -> str:
        """Where something is."""
        return f"https://127.0.0.1:{self.port}/{path}"

    def configuration(self, **changed: Any) -> JwtConfiguration:  # noqa: ANN401 - fields of JwtIssuer
        """Believes `/own`."""
        authority = self.authority.certificate.decode()
        issuer = Issuer(self.url("own"), ("isthmus", "second"), certificate_authority=authority)
        made = JwtIssuer(issuer, ClaimMapping("sub"), **{"groups": ClaimMapping("groups", "oidc:"), **changed})
        return JwtConfiguration((made,))

    def signed(self, name: str, /, by: str = "", **claims: Any) -> str:  # noqa: ANN401 - any JSON
        """A JWT of an issuer, signed with the key of another if need be; a claim that is None is left out."""
        good = {"iss": self.url(name), "aud": "isthmus", "exp": time.time() + 600}
        stated = {claim: value for claim, value in (good | claims).items() if value is not None}
        return jwt.encode(stated, self.keys[by or name], algorithm="ES256", headers={"kid": by or name})

    def token(self, **claims: Any) -> str:  # noqa: ANN401 - any JSON
        """A token of `/own` whose groups are at `/groups`."""
        source = {"endpoint": self.url("groups"), "access_token": ACCESS}
        named = {"_claim_names": {"groups": "one"}, "_claim_sources": {"one": source}}
        return self.signed("own", **({"sub": "jane"} | named | claims))

    def groups(self, name: str, /, by: str = "", **claims: Any) -> str:  # noqa: ANN401 - any JSON
        """What the endpoint has to say, as a JWT of an issuer."""
        return self.signed(name, by, **({"groups": ["dev", "qa"]} | claims))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """While it can be reached."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        name = request.path.split("/")[1]
        if request.path.endswith("/.well-known/openid-configuration"):
            return web.json_response({"issuer": self.url(name), "jwks_uri": self.url(f"{name}/jwks")})
        if request.path.endswith("/jwks"):
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(self.keys[name].public_key(), as_dict=True)
            return web.json_response({"keys": [{**jwk, "kid": name}]})
        self.arrived.set()
        await self.answering.wait()
        return self.answer(request)
