"""Authorization by another server: SubjectAccessReview, as kube-apiserver's webhook authorizer asks it.

In: a user and a RequestInfo. Out: an `Opinion` without a grant, so that nobody keeps what the server may take back.
Law: a server that does not answer allows nothing, and an answer is kept only for exactly the same question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final

from controlplane.auth.authorize import Opinion
from controlplane.auth.webhook.cache import Kept
from controlplane.auth.webhook.client import ReviewClient
from controlplane.auth.webhook.conditions import MatchConditions
from controlplane.auth.webhook.described import AccessReviews
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.auth.webhook.retry import Failure
from controlplane.auth.webhook.reviews import AccessStatus, access_review, access_spec, encoded, read_access_review
from controlplane.auth.webhook.shared import Shared
from controlplane.errors import SettingsError
from controlplane.model.identity import RequestInfo, UserInfo, Verdict

_MOST_ANSWERS: Final = 8192
# What a client can make arbitrarily long is not kept.
_LONGEST_KEPT: Final = 10_000
_TYPE: Final = "Webhook"
_BOTH: Final = "webhook subject access review returned both allow and deny response"


class WebhookAuthorizer:
    """Asks one server; `clock` gives seconds.

    Raises:
        SettingsError: when a match condition does not compile.
    """

    def __init__(
        self, wanted: AccessReviews, client: ReviewClient, metrics: WebhookMetrics, clock: Callable[[], float]
    ) -> None:
        self.calls: Shared[AccessStatus | Failure] = Shared()
        self._wanted = wanted
        self._client = client
        self._metrics = metrics
        self._clock = clock
        self._kept: Kept[AccessStatus] = Kept(_MOST_ANSWERS)
        self._conditions = MatchConditions(wanted.match_conditions) if wanted.match_conditions else None
        if self._conditions is not None and self._conditions.defects:
            reasons = "; ".join(self._conditions.defects.values())
            raise SettingsError(f"webhook {wanted.name}: matchConditions: {reasons}; mend the expressions")

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The server's verdict; the failure policy's, with an error, when there is none."""
        spec = access_spec(user, info)
        if self._conditions is not None:
            matches = self._matches(self._conditions, spec)
            if isinstance(matches, str):
                return Opinion(self._wanted.failure_policy, error=f"webhook {self._wanted.name}: {matches}")
            if not matches:
                return Opinion(Verdict.NO_OPINION)
        key = hashlib.sha256(encoded(spec)).digest()
        status = self._kept.get(key, self._clock())
        if status is None:
            answer = await self.calls.ask(key, partial(self._ask, key, spec, kept=_is_short(info)))
            if isinstance(answer, Failure):
                return self._unanswered(answer)
            status = answer
        if status.denied:
            return Opinion(Verdict.DENY, status.reason, error=_BOTH if status.allowed else "")
        return Opinion(Verdict.ALLOW if status.allowed else Verdict.NO_OPINION, status.reason)

    async def _ask(self, key: bytes, spec: dict[str, object], *, kept: bool) -> AccessStatus | Failure:
        version = self._wanted.version
        body = access_review(spec, version)
        status = await self._client.ask(body, lambda answer: read_access_review(answer, version), self._observe)
        if isinstance(status, AccessStatus) and kept:
            seconds = self._wanted.authorized_ttl if status.allowed else self._wanted.unauthorized_ttl
            if seconds > 0:
                self._kept.put(key, status, self._clock() + seconds)
        return status

    def _matches(self, conditions: MatchConditions, spec: dict[str, object]) -> bool | str:
        began = self._clock()
        matches = conditions.match(spec)
        labels = (_TYPE, self._wanted.name)
        self._metrics.match_seconds.labels(*labels).observe(self._clock() - began)
        if isinstance(matches, str):
            self._metrics.match_errors.labels(*labels).inc()
        elif not matches:
            self._metrics.exclusions.labels(*labels).inc()
        return matches

    def _unanswered(self, failure: Failure) -> Opinion:
        if self._wanted.failure_policy is Verdict.NO_OPINION:
            result = "timeout" if failure.timeout else "error"
            self._metrics.fail_open.labels(self._wanted.name, result).inc()
        return Opinion(self._wanted.failure_policy, error=f"webhook {self._wanted.name}: {failure.reason}")

    def _observe(self, result: str, code: int, seconds: float) -> None:  # noqa: ARG002 - tokens are counted by it
        self._metrics.evaluations.labels(self._wanted.name, result).inc()
        self._metrics.seconds.labels(self._wanted.name, result).observe(seconds)


def _is_short(info: RequestInfo) -> bool:
    texts = (info.namespace, info.verb, info.api_group, info.api_version, info.resource, info.subresource)
    return sum(len(text.encode(errors="surrogateescape")) for text in (*texts, info.name, info.path)) < _LONGEST_KEPT
