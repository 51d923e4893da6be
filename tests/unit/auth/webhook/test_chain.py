from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from controlplane.auth.authorize import ALWAYS_ALLOW, ALWAYS_DENY, PrivilegedGroups
from controlplane.auth.webhook.chain import authorizers
from controlplane.auth.webhook.described import AccessReviews, Local
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.errors import SettingsError


async def test_the_local_authorizer_is_put_in_its_place() -> None:
    """The chain is built around whichever local authorizer is in force, as it is where no webhook precedes it."""
    first, second = PrivilegedGroups(), PrivilegedGroups(frozenset())
    chain = (Local.ALWAYS_ALLOW, Local.RBAC, Local.ALWAYS_DENY)
    async with authorizers(chain, WebhookMetrics(CollectorRegistry())) as around:
        chains = [around(first), around(second)]

    assert [(ALWAYS_ALLOW, first, ALWAYS_DENY), (ALWAYS_ALLOW, second, ALWAYS_DENY)] == chains


async def test_a_webhook_is_the_same_around_every_local_authorizer() -> None:
    """What it keeps outlives a policy."""
    wanted = AccessReviews("w", Connection("https://127.0.0.1:1", None))
    async with authorizers((wanted,), WebhookMetrics(CollectorRegistry())) as around:
        (first,), (second,) = around(ALWAYS_ALLOW), around(ALWAYS_DENY)

    assert first is second


async def test_a_condition_that_does_not_compile_stops_the_start() -> None:
    """Nobody is asked, and the sentence names the webhook."""
    wanted = AccessReviews("w", Connection("https://127.0.0.1:1", None), match_conditions=("request.usr == ''",))

    with pytest.raises(SettingsError, match="webhook w: matchConditions: compilation failed"):
        async with authorizers((wanted,), WebhookMetrics(CollectorRegistry())):
            pass
