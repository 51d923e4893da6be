"""The keys of one issuer as it publishes them, kept fresh.

In: addresses, a `Fetch`, a clock and a pause. Out: whether one of the keys made a signature. Law: at most one fetch is
under way, whoever asks; tokens cause no more than one in `LEAST_INTERVAL`; keys once had stay while the issuer is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Final

import orjson
import structlog

from controlplane.auth.jwt.compact import Unverified
from controlplane.auth.jwt.fetch import Fetch, FetchFailed
from controlplane.auth.jwt.keys import KeyRing, NoKeys, keys_of_jwks

LEAST_INTERVAL: Final = 5.0
"""Seconds between fetches that tokens with unknown keys cause."""
REFRESH_INTERVAL: Final = 300.0
"""Seconds after which keys are fetched anyway, so that one that was withdrawn is dropped."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 10.0
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where keys are: at `jwks_url`, or where the discovery document at `discovery_url` says, which names `issuer`."""

    issuer: str
    discovery_url: str = ""
    jwks_url: str = ""

    @classmethod
    def by_discovery(cls, issuer: str, discovery_url: str) -> KeySource:
        """The source for `issuer`, whose discovery document is at `discovery_url` ("": at the well-known address)."""
        return cls(issuer, discovery_url or f"{issuer.removesuffix('/')}{_WELL_KNOWN}")


class RemoteKeys:
    """The keys of one `KeySource`; `run` keeps them fresh and must be running while tokens are verified."""

    def __init__(
        self,
        source: KeySource,
        fetch: Fetch,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[object]],
        known: KeyRing | None = None,
        observe: Callable[[bytes | None], None] | None = None,
    ) -> None:
        """`clock` gives the seconds of a steady clock; `known` are keys that somebody had of this source before.

        `observe` (None: nobody) is told of every key set that was asked for: None, when it was not to be had or used.
        """
        self._source = source
        self._fetch = fetch
        self._clock = clock
        self._pause = pause
        self._observe = observe or _unobserved
        self._log = structlog.get_logger("auth").bind(issuer=source.issuer)
        self._ring = known
        self._jwks_url = source.jwks_url
        self._flight: asyncio.Task[bool] | None = None
        self._tried = -inf
        self._down = False
        self.ready = asyncio.Event()
        """Set as soon as keys have been had once."""
        if known is not None:
            self.ready.set()

    @property
    def ring(self) -> KeyRing | None:
        """The keys of now; None while they are not known."""
        return self._ring

    @property
    def issuer(self) -> str:
        """The issuer whose keys these are."""
        return self._source.issuer

    async def run(self) -> None:
        """Fetches keys now and again, sooner after a failure; it ends only by being cancelled."""
        pause = _FIRST_PAUSE
        try:
            while True:
                # Forgotten, so that the discovery document is read anew.
                self._jwks_url = self._source.jwks_url
                if await self._fetched():
                    pause = _FIRST_PAUSE
                    await self._pause(REFRESH_INTERVAL)
                else:
                    await self._pause(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            if self._flight is not None:
                self._flight.cancel()

    async def verifies(self, token: Unverified) -> bool | None:
        """Whether the issuer signed `token`; None while it is not known what its keys are.

        A token that no known key signed makes the keys be fetched once more, unless that was done a moment ago.
        """
        if self._ring is None:
            return None
        if self._ring.verifies(token):
            return True
        if self._flight is None and self._clock() - self._tried < LEAST_INTERVAL:
            return False
        return await self._fetched() and self._ring.verifies(token)

    async def _fetched(self) -> bool:
        """Whether a fetch, the one under way or a new one, brought keys."""
        flight = self._flight
        if flight is None:
            flight = self._flight = asyncio.create_task(self._update())
            flight.add_done_callback(self._landed)
        # Whoever stops waiting does not stop the fetch, for which others may wait.
        await asyncio.wait([flight])
        return not flight.cancelled() and flight.result()

    def _landed(self, _: asyncio.Task[bool]) -> None:
        self._flight = None

    async def _update(self) -> bool:
        self._tried = self._clock()
        try:
            ring = await self._published()
        except Exception as error:  # noqa: BLE001 - a defect met once must not end that keys are kept fresh
            ring = FetchFailed(f"defect in the control plane: {error!r}")
        self._tried = self._clock()
        if isinstance(ring, FetchFailed):
            if not self._down:
                self._log.warning(
                    "keys of the issuer cannot be fetched, its new tokens are refused", reason=ring.reason
                )
            self._down = True
            return False
        if self._down or self._ring is None:
            self._log.info("keys of the issuer fetched", keys=len(ring))
        self._down = False
        self._ring = ring
        self.ready.set()
        return True

    async def _published(self) -> KeyRing | FetchFailed:
        if not self._jwks_url:
            address = await self._discovered()
            if isinstance(address, FetchFailed):
                return address
            self._jwks_url = address
        document = await self._fetch(self._jwks_url)
        if isinstance(document, FetchFailed):
            self._observe(None)
            return document
        keys = keys_of_jwks(document)
        if isinstance(keys, NoKeys):
            self._observe(None)
            return FetchFailed(f"{self._jwks_url}: {keys.reason}")
        self._observe(document)
        return KeyRing(keys)

    async def _discovered(self) -> str | FetchFailed:
        url = self._source.discovery_url
        document = await self._fetch(url)
        if isinstance(document, FetchFailed):
            return document
        try:
            content = orjson.loads(document)
        except orjson.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            return FetchFailed(f"{url}: it is no JSON object")
        if content.get("issuer") != self._source.issuer:
            return FetchFailed(f"{url}: it is of another issuer, not of {self._source.issuer}")
        address = content.get("jwks_uri")
        if not isinstance(address, str) or not address:
            return FetchFailed(f"{url}: it names no jwks_uri")
        return address


def _unobserved(_: bytes | None) -> None:
    """Nobody is told."""
