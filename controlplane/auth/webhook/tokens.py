"""Bearer tokens that another server knows: TokenReview, as kube-apiserver's webhook token authenticator asks it.

In: a token. Out: whose it is and until when that may be relied on, or why nobody can tell. Law: only what was
recognised is kept, under an HMAC and for a short time; no token is in any text, not even in one of the server's.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from controlplane.auth.evidence import Failed, Outcome, Recognised, TokenAuthenticator
from controlplane.auth.identity_headers import identity_headers
from controlplane.auth.webhook.cache import Kept
from controlplane.auth.webhook.client import ReviewClient, Surroundings, opened
from controlplane.auth.webhook.described import TokenReviews
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.auth.webhook.retry import Failure
from controlplane.auth.webhook.reviews import TokenStatus, read_token_review, token_review
from controlplane.auth.webhook.shared import Shared

_MOST_TOKENS: Final = 32_768
# What several clients may wait for together, whichever of them leaves.
_SECONDS_IN_ALL: Final = 30.0


@asynccontextmanager
async def token_reviews(
    wanted: TokenReviews,
    metrics: WebhookMetrics,
    *,
    clock: Callable[[], float],
    key: bytes,
    surroundings: Surroundings = Surroundings(),  # noqa: B008 - frozen
) -> AsyncIterator[TokenAuthenticator]:
    """An authenticator that asks `wanted`; `clock` gives Unix seconds, `key` is at least 16 random bytes.

    How long an answer is kept goes by the clock of `surroundings`, a steady one: nobody sets that back.

    A token that the server does not recognise is None: of another kind. Leaving waits for questions under way.

    Raises:
        SettingsError: when the certificates of the connection cannot be used.
    """
    async with opened() as session:
        client = ReviewClient(session, wanted.connection, surroundings, seconds=wanted.timeout, in_all=_SECONDS_IN_ALL)
        reviewed = _Reviewed(wanted, client, metrics, clock, surroundings.clock, key)
        yield reviewed.authenticate
        await reviewed.calls.ended()


class _Reviewed:
    def __init__(
        self,
        wanted: TokenReviews,
        client: ReviewClient,
        metrics: WebhookMetrics,
        clock: Callable[[], float],
        timer: Callable[[], float],
        key: bytes,
    ) -> None:
        self.calls: Shared[Outcome] = Shared()
        self._wanted = wanted
        self._client = client
        self._metrics = metrics
        self._clock = clock
        self._timer = timer
        self._key = key
        self._kept: Kept[Recognised] = Kept(_MOST_TOKENS)

    async def authenticate(self, token: str) -> Outcome:
        """Whose `token` is."""
        key = hmac.digest(self._key, token.encode(errors="surrogateescape"), "sha256")
        known = self._kept.get(key, self._timer())
        self._metrics.token_lookups.labels("miss" if known is None else "hit").inc()
        return known or await self.calls.ask(key, partial(self._ask, key, token))

    async def _ask(self, key: bytes, token: str) -> Outcome:
        version, audiences = self._wanted.version, self._wanted.audiences
        body = token_review(token, audiences, version)
        status = await self._client.ask(body, lambda answer: read_token_review(answer, version), self._observe)
        if isinstance(status, Failure):
            return Failed(f"token review: {status.reason}".replace(token, "[redacted]"))
        # A server that names no audiences is not aware of them: then the token is for ours.
        if audiences and status.audiences and not set(audiences) & set(status.audiences):
            return None
        outcome = self._outcome(status, token)
        if isinstance(outcome, Recognised) and self._wanted.cache_ttl > 0:
            self._kept.put(key, outcome, self._timer() + self._wanted.cache_ttl)
        return outcome

    def _outcome(self, status: TokenStatus, token: str) -> Outcome:
        if not status.authenticated:
            return Failed(f"token review: {status.error}".replace(token, "[redacted]")) if status.error else None
        try:
            identity_headers(status.user)
        except ValueError as error:
            return Failed(f"token review: {error}")
        return Recognised(status.user, self._clock() + self._wanted.cache_ttl, "the TokenReview webhook")

    def _observe(self, result: str, code: int, seconds: float) -> None:
        if result == "canceled":
            return
        label = str(code) if code else "<error>"
        self._metrics.token_reviews.labels(label).inc()
        self._metrics.token_seconds.labels(label).observe(seconds)
