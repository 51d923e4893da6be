"""Claims that an issuer keeps somewhere else, fetched and verified as kube-apiserver does it.

In: where a claim is. Out: its value, or why there is none. Law: only a JWT is believed, for the same audiences, within
its period, and signed by the issuer that it names; that issuer must publish its keys by discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from controlplane.auth.evidence import Failed
from controlplane.auth.jwt import openid
from controlplane.auth.jwt.compact import unverified
from controlplane.auth.jwt.configuration import Issuer
from controlplane.auth.jwt.distributed import Source
from controlplane.auth.jwt.fetch import MOST_BYTES, FetchClaim, FetchFailed
from controlplane.auth.jwt.remote import RemoteKeys

# Each is asked for its keys now and again, for as long as the configuration stands.
_MOST_ISSUERS: Final = 16


@dataclass(frozen=True, slots=True)
class Resolved:
    """The value of a claim, and until when (Unix seconds) the JWT that holds it is good."""

    value: Any
    until: float


class ClaimResolver:
    """Resolves one claim of the tokens of one issuer.

    `keys_of` begins to fetch the keys of an issuer, once for each; tokens that need them wait for the first ones up to
    `patience` seconds, then fail until they are there. `clock` gives Unix seconds, `timer` those of a steady clock.
    """

    def __init__(
        self,
        claim: str,
        issuer: Issuer,
        fetch: FetchClaim,
        keys_of: Callable[[str], RemoteKeys],
        *,
        clock: Callable[[], float],
        timer: Callable[[], float],
        patience: float,
    ) -> None:
        self.claim = claim
        self._issuer = issuer
        self._fetch = fetch
        self._keys_of = keys_of
        self._clock, self._timer, self._patience = clock, timer, patience
        self._keys: dict[str, tuple[RemoteKeys, float]] = {}

    async def resolved(self, source: Source) -> Resolved | Failed:
        """What the claim is."""
        outcome = await self._resolved(source)
        if isinstance(outcome, Failed):
            return Failed(f"oidc: could not expand distributed claims: {outcome.reason}")
        return outcome

    async def _resolved(self, source: Source) -> Resolved | Failed:
        document = await self._fetch(source.endpoint, source.access_token)
        if isinstance(document, FetchFailed):
            return Failed(f'while getting distributed claim "{self.claim}": {document.reason}')
        token = unverified(document.decode("ascii", "replace").strip(), MOST_BYTES)
        if token is None:
            return Failed(f'what is kept for the claim "{self.claim}" is no JWT that names its issuer')
        keys = await self._ready(openid.ALIASES.get(token.issuer, token.issuer))
        if isinstance(keys, Failed):
            return keys
        if not await keys.verifies(token):
            return Failed("verify distributed claim token: failed to verify signature")
        until = openid.end_of(token.claims, self._issuer.audiences, self._clock())
        if isinstance(until, Failed):
            return Failed(f"verify distributed claim token: {until.reason}")
        if self.claim not in token.claims:
            return Failed(f'the JWT of the distributed claim "{self.claim}" does not hold it')
        return Resolved(token.claims[self.claim], until)

    async def _ready(self, issuer: str) -> RemoteKeys | Failed:
        if issuer not in self._keys:
            if not issuer.startswith("https://") or len(self._keys) >= _MOST_ISSUERS:
                return Failed("the issuer of a distributed claim is not https, or one too many")
            self._keys[issuer] = self._keys_of(issuer), self._timer()
        keys, since = self._keys[issuer]
        left = since + self._patience - self._timer()
        if not keys.ready.is_set() and left > 0:
            try:
                async with asyncio.timeout(left):
                    await keys.ready.wait()
            except TimeoutError:
                pass
        return keys if keys.ready.is_set() else Failed("verifier not initialized for the issuer of a distributed claim")
