"""Authorizers in the order that files or settings give: the local one, and servers that are asked.

In: a `Chain`, later the local role-based authorizer of the moment. Out: authorizers. Law: nothing is granted for keeps
by what comes after a webhook, since the webhook may speak first the next time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from controlplane.auth.authorize import ALWAYS_ALLOW, ALWAYS_DENY, Authorizer, Opinion, allowed_by
from controlplane.auth.webhook.access import WebhookAuthorizer
from controlplane.auth.webhook.client import ReviewClient, Surroundings, opened
from controlplane.auth.webhook.described import AccessReviews, Chain, Local
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.model.identity import RequestInfo, UserInfo

# As long as kube-apiserver takes for a request.
_SECONDS_IN_ALL: Final = 60.0


@asynccontextmanager
async def authorizers(
    chain: Chain,
    metrics: WebhookMetrics,
    *,
    surroundings: Surroundings = Surroundings(),  # noqa: B008 - frozen
) -> AsyncIterator[Callable[[Authorizer], tuple[Authorizer, ...]]]:
    """What puts the local role-based authorizer in its place among the others of `chain`, any number of times.

    Webhooks keep their answers whichever local authorizer they stand beside. Leaving waits for questions under way.

    Raises:
        SettingsError: when the certificates of a connection cannot be used, or a match condition does not compile.
    """
    async with AsyncExitStack() as stack:
        webhooks = {
            link: await _live(link, metrics, surroundings, stack) for link in chain if not isinstance(link, Local)
        }

        def around(rbac: Authorizer) -> tuple[Authorizer, ...]:
            placed: list[Authorizer] = []
            preceded = False
            for link in chain:
                if isinstance(link, AccessReviews):
                    placed.append(webhooks[link])
                    preceded = True
                else:
                    local = {Local.RBAC: rbac, Local.ALWAYS_ALLOW: ALWAYS_ALLOW, Local.ALWAYS_DENY: ALWAYS_DENY}[link]
                    placed.append(_Ungranting(local) if preceded else local)
            return tuple(placed)

        yield around
        for webhook in webhooks.values():
            await webhook.calls.ended()


async def _live(
    wanted: AccessReviews, metrics: WebhookMetrics, surroundings: Surroundings, stack: AsyncExitStack
) -> WebhookAuthorizer:
    session = await stack.enter_async_context(opened())
    client = ReviewClient(session, wanted.connection, surroundings, seconds=wanted.timeout, in_all=_SECONDS_IN_ALL)
    return WebhookAuthorizer(wanted, client, metrics, surroundings.clock)


@dataclass(frozen=True, slots=True)
class _Ungranting:
    authorizer: Authorizer

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        opinion = await self.authorizer.authorize(user, info)
        if opinion.grant is None:
            return opinion
        return replace(opinion, grant=None, reason=opinion.reason or allowed_by(opinion.grant))
