from __future__ import annotations

from prometheus_client import CollectorRegistry

from controlplane.auth.authorize import ALWAYS_ALLOW, Always, Opinion
from controlplane.auth.decisions import Decisions
from controlplane.auth.webhook.described import AccessReviews, Chain, Local
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.model.identity import RequestInfo, UserInfo, Verdict

INFO = RequestInfo(is_resource_request=False, path="/version", verb="get")


async def test_what_ends_the_asking_is_counted_by_who_said_it() -> None:
    """Type and name are those of the configuration; no opinion is no decision, and the opinion stays what it was."""
    registry = CollectorRegistry()
    chain: Chain = (AccessReviews("audit.example.org", Connection("https://h")), Local.RBAC, Local.ALWAYS_ALLOW)
    said = (Always(Opinion(Verdict.DENY, "no")), Always(Opinion(Verdict.NO_OPINION)), ALWAYS_ALLOW)
    opinions = [
        await each.authorize(UserInfo("alice"), INFO)
        for each in Decisions(registry).counted(chain, said)
        for _ in range(2)
    ]

    assert [each.opinion for each in said for _ in range(2)] == opinions
    name = "apiserver_authorization_decisions_total"
    told = {
        (sample.labels["type"], sample.labels["name"], sample.labels["decision"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and sample.value
    }
    expected = {("Webhook", "audit.example.org", "denied"): 2, ("AlwaysAllow", "alwaysallow", "allowed"): 2}
    assert expected == told
