"""How often each authorizer has allowed or denied, counted as kube-apiserver counts it.

In: authorizers, and a registry. Out: the same authorizers, and a counter. Law: what has no opinion is not counted, and
no label holds anything a client chose; names of webhooks come from files.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter

from controlplane.auth.authorize import Authorizer, Opinion
from controlplane.auth.webhook.described import AccessReviews, Chain
from controlplane.model.identity import RequestInfo, UserInfo, Verdict


class Decisions:
    """apiserver_authorization_decisions_total{type, name, decision}."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "apiserver_authorization_decisions",
            "Decisions that ended the asking, by the authorizer that made them.",
            ["type", "name", "decision"],
            registry=registry,
        )

    def counted(self, chain: Chain, authorizers: tuple[Authorizer, ...]) -> tuple[Authorizer, ...]:
        """The `authorizers` of the `chain`, one a link, each of whose decisions is counted from now on."""
        return tuple(
            self._counted("Webhook", link.name, authorizer)
            if isinstance(link, AccessReviews)
            else self._counted(link.value, link.value.lower(), authorizer)
            for link, authorizer in zip(chain, authorizers, strict=True)
        )

    def _counted(self, kind: str, name: str, authorizer: Authorizer) -> Authorizer:
        allowed, denied = (self._decisions.labels(kind, name, decision) for decision in ("allowed", "denied"))
        return _Counted(authorizer, allowed, denied)


@dataclass(frozen=True, slots=True)
class _Counted:
    authorizer: Authorizer
    allowed: Counter
    denied: Counter

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        opinion = await self.authorizer.authorize(user, info)
        if opinion.verdict is Verdict.ALLOW:
            self.allowed.inc()
        elif opinion.verdict is Verdict.DENY:
            self.denied.inc()
        return opinion
