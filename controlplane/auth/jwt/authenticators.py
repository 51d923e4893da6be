"""The live object that verifies tokens of issuers and of service accounts.

In: a `JwtConfiguration`, then bearer tokens. Out: whose they are, or that they do not hold, or that they are of another
kind. Law: only a token whose signature was verified within the last `REMEMBERED` seconds is believed, and no token is
kept: what is remembered is an HMAC under a key that every object makes anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final, Self

from controlplane.auth.evidence import Failed, Outcome, Recognised
from controlplane.auth.jwt import openid
from controlplane.auth.jwt.compact import Unverified, unverified
from controlplane.auth.jwt.configuration import JwtIssuer
from controlplane.auth.jwt.distributed import source_of
from controlplane.auth.jwt.fetch import CLAIM_SECONDS, SECONDS, Fetch, claim_fetching, fetching, trust
from controlplane.auth.jwt.keys import KeyRing
from controlplane.auth.jwt.mapping import UserMapping
from controlplane.auth.jwt.metrics import JwtMetrics
from controlplane.auth.jwt.remote import KeySource, RemoteKeys
from controlplane.auth.jwt.resolver import ClaimResolver, Resolved
from controlplane.auth.jwt.service_accounts import (
    LEGACY_ISSUER,
    ServiceAccountTokens,
    recognised_bound,
    recognised_legacy,
)
from controlplane.auth.webhook.shared import Shared
from controlplane.egress.proxying import DIRECT, Proxies

REMEMBERED: Final = 10.0
"""Seconds for which a verified token is believed without another look, as in kube-apiserver; failures never are."""
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class JwtConfiguration:
    """Which tokens are believed; two entries of `issuers` never have one URL."""

    issuers: tuple[JwtIssuer, ...] = ()
    service_accounts: ServiceAccountTokens | None = None


class JwtAuthenticators:
    """Verifies tokens while it is entered (`async with`); `authenticate` is a `TokenAuthenticator`.

    `clock` gives Unix seconds, `timer` the seconds of a steady clock; `timeout` is what one document of an issuer may
    take, in seconds. Entering waits for nothing: until the keys of an issuer are there, its tokens fail. Keys that
    `predecessor`, whose place this object takes, has from the same address under the same authority are there at once.
    `proxies` says how issuers are reached; `metrics` are told of them, None: nobody is.

    Raises:
        ValueError: from the constructor, when an expression does not compile.
        ssl.SSLError: on entering, when a certificate authority is no PEM certificate.
    """

    def __init__(
        self,
        configuration: JwtConfiguration,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        timeout: float = SECONDS,
        predecessor: JwtAuthenticators | None = None,
        proxies: Proxies = DIRECT,
        metrics: JwtMetrics | None = None,
    ) -> None:
        self._configuration = configuration
        self._proxies, self._metrics = proxies, metrics
        self._clock, self._timer, self._pause, self._timeout = clock, timer, pause, timeout
        self._accounts = configuration.service_accounts
        self._account_ring = KeyRing(self._accounts.keys if self._accounts else ())
        self._issuers = {
            entry.issuer.url: (entry, UserMapping(entry), KeyRing(entry.keys)) for entry in configuration.issuers
        }
        self._known = {} if predecessor is None else predecessor.known_keys()
        self._origins: dict[tuple[KeySource, str], RemoteKeys] = {}
        self._remote: dict[str, RemoteKeys] = {}
        self._account_remote: RemoteKeys | None = None
        self._resolvers: dict[str, ClaimResolver] = {}
        self._resolving: Shared[Resolved | Failed] = Shared()
        self._remembered = _Remembered(secrets.token_bytes(32), timer)
        # The system's roots take 20 ms and a megabyte to read, and most issuers have the same authority.
        self._trusting = lru_cache(maxsize=None)(trust)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begins to fetch keys."""
        async with AsyncExitStack() as stack:
            for entry in self._configuration.issuers:
                if not entry.keys:
                    source = KeySource.by_discovery(entry.issuer.url, entry.issuer.discovery_url)
                    authority = entry.issuer.certificate_authority
                    self._remote[entry.issuer.url] = await self._begin(stack, source, authority)
                if entry.groups.claim:
                    self._resolvers[entry.issuer.url] = await self._resolver(stack, entry)
            accounts = self._accounts
            if accounts is not None and accounts.jwks_url:
                source = KeySource(" ".join(accounts.issuers), jwks_url=accounts.jwks_url)
                self._account_remote = await self._begin(stack, source, accounts.certificate_authority)
            stack.push_async_callback(self._resolving.ended)
            self._stack = stack.pop_all()
        if self._metrics is not None:
            self._metrics.follow((*self._issuers, *(remote.issuer for remote in self._origins.values())))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def known_keys(self) -> dict[tuple[KeySource, str], KeyRing]:
        """The keys that were fetched, by where from and under which authority."""
        return {origin: remote.ring for origin, remote in self._origins.items() if remote.ring is not None}

    async def authenticate(self, token: str) -> Outcome:
        """Whose `token` it is, until its `exp`; None when it is no JWT of a configured issuer."""
        known = self._remembered.of(token)
        if known is not None and known.until > self._clock():
            return known
        parts = unverified(token)
        if parts is None:
            return None
        outcome = await self._judged(parts)
        if isinstance(outcome, Recognised):
            self._remembered.keep(token, outcome)
        return outcome

    async def _judged(self, token: Unverified) -> Outcome:
        accounts = self._accounts
        outcome: Outcome = None
        if accounts is not None and accounts.legacy and token.issuer == LEGACY_ISSUER:
            outcome = await self._of_account(token, accounts, recognised_legacy)
        if accounts is not None and token.issuer in accounts.issuers and not isinstance(outcome, Recognised):
            outcome = await self._of_account(token, accounts, recognised_bound)
        issuer = self._issuers.get(openid.ALIASES.get(token.issuer, token.issuer))
        if issuer is not None and not isinstance(outcome, Recognised):
            outcome = await self._of_issuer(token, *issuer)
        return outcome

    async def _of_account(
        self,
        token: Unverified,
        accounts: ServiceAccountTokens,
        judge: Callable[..., Recognised | Failed],
    ) -> Recognised | Failed:
        if not self._account_ring.verifies(token):
            remote = self._account_remote
            verified = await remote.verifies(token) if remote is not None else False
            if not verified:
                return Failed("invalid signature, no keys found" if verified is None else "invalid signature")
        return judge(token.claims, accounts, self._clock())

    async def _of_issuer(
        self, token: Unverified, entry: JwtIssuer, mapping: UserMapping, ring: KeyRing
    ) -> Recognised | Failed:
        began = self._timer()
        outcome = await self._of_claims(token, entry, mapping, ring)
        if self._metrics is not None:
            good = isinstance(outcome, Recognised)
            self._metrics.judged(entry.issuer.url, self._timer() - began, good=good)
        return outcome

    async def _of_claims(
        self, token: Unverified, entry: JwtIssuer, mapping: UserMapping, ring: KeyRing
    ) -> Recognised | Failed:
        remote = self._remote.get(entry.issuer.url)
        verified = await remote.verifies(token) if remote is not None else ring.verifies(token)
        if verified is None:
            return Failed("oidc: authenticator not initialized")
        if not verified:
            return Failed("oidc: verify token: failed to verify signature")
        found = await self._distributed(token, entry)
        if isinstance(found, Failed):
            return found
        claims = token.claims if found is None else {**token.claims, entry.groups.claim: found.value}
        outcome = openid.recognised(claims, entry.issuer, mapping, self._clock())
        if found is None or isinstance(outcome, Failed):
            return outcome
        return replace(outcome, until=min(outcome.until, found.until))

    async def _distributed(self, token: Unverified, entry: JwtIssuer) -> Resolved | Failed | None:
        """What the groups claim is where it is kept somewhere else; None where it is not."""
        claim = entry.groups.claim
        source = source_of(token.claims, claim) if claim else None
        if source is None or isinstance(source, Failed):
            return source
        # Nobody else is asked for the sake of a token that does not hold.
        until = openid.end_of(token.claims, entry.issuer.audiences, self._clock())
        if isinstance(until, Failed):
            return until
        key = hashlib.sha256(token.signed + b"." + token.signature).digest()
        return await self._resolving.ask(key, partial(self._resolvers[entry.issuer.url].resolved, source))

    async def _resolver(self, stack: AsyncExitStack, entry: JwtIssuer) -> ClaimResolver:
        authority = entry.issuer.certificate_authority
        how = (self._proxies, self._trusting)
        fetch = await stack.enter_async_context(fetching(authority, self._timeout, *how))
        fetch_claim = await stack.enter_async_context(claim_fetching(authority, CLAIM_SECONDS, *how))

        def keys_of(issuer: str) -> RemoteKeys:
            own = self._remote.get(issuer) if issuer == entry.issuer.url else None
            discovery_url = entry.issuer.discovery_url if issuer == entry.issuer.url else ""
            return own or self._keep(self._stack, KeySource.by_discovery(issuer, discovery_url), fetch)

        return ClaimResolver(
            entry.groups.claim,
            entry.issuer,
            fetch_claim,
            keys_of,
            clock=self._clock,
            timer=self._timer,
            patience=self._timeout,
        )

    async def _begin(self, stack: AsyncExitStack, source: KeySource, authority: str) -> RemoteKeys:
        fetch = await stack.enter_async_context(fetching(authority, self._timeout, self._proxies, self._trusting))
        known = self._known.get((source, authority))
        observe = None if self._metrics is None else partial(self._metrics.fetched, source.issuer)
        remote = self._origins[source, authority] = self._keep(stack, source, fetch, known, observe)
        return remote

    def _keep(
        self,
        stack: AsyncExitStack,
        source: KeySource,
        fetch: Fetch,
        known: KeyRing | None = None,
        observe: Callable[[bytes | None], None] | None = None,
    ) -> RemoteKeys:
        """Keys that are kept fresh until the stack is left."""
        remote = RemoteKeys(source, fetch, self._timer, self._pause, known, observe)
        task = asyncio.create_task(remote.run(), name=f"keys of {source.issuer}")
        stack.push_async_callback(_stopped, task)
        return remote


class _Remembered:
    """Outcomes of verified tokens, by HMAC, the longest unused dropped first."""

    def __init__(self, key: bytes, timer: Callable[[], float]) -> None:
        self._key = key
        self._timer = timer
        self._outcomes: OrderedDict[bytes, tuple[float, Recognised]] = OrderedDict()

    def of(self, token: str) -> Recognised | None:
        digest = self._digest(token)
        kept = self._outcomes.get(digest)
        if kept is None or self._timer() - kept[0] >= REMEMBERED:
            self._outcomes.pop(digest, None)
            return None
        self._outcomes.move_to_end(digest)
        return kept[1]

    def keep(self, token: str, outcome: Recognised) -> None:
        self._outcomes[self._digest(token)] = (self._timer(), outcome)
        while len(self._outcomes) > _MOST_REMEMBERED:
            self._outcomes.popitem(last=False)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(errors="surrogateescape"), "sha256")


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
