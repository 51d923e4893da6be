from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.authenticate import Anonymous
from controlplane.auth.description import Description
from controlplane.auth.evidence import Evidence, Recognised
from controlplane.auth.jwt.authenticators import JwtConfiguration
from controlplane.auth.ruling import Ruling, RulingMetrics, Rulings
from controlplane.auth.tokens import TokenTable
from controlplane.auth.webhook.described import Chain, Local
from controlplane.errors import SettingsError
from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import ClientAuthorities, Secret
from controlplane.model.identity import RequestInfo, UserInfo, Verdict
from controlplane.model.policy import Policy

TOKENS = Path("/tokens")
VERSION = RequestInfo(is_resource_request=False, path="/version", verb="get")
ALICE = UserInfo("alice")


def files(token: str) -> AuthFiles:
    """Files in which alice has this token."""
    return AuthFiles(MappingProxyType({TOKENS: Secret(token.encode())}))


def describe(found: AuthFiles) -> Description:
    """A description in which the token "everything" lets everybody do everything, and "broken" cannot be used."""
    token = found.bytes_of(TOKENS).decode()
    if token == "broken":
        raise SettingsError("it is broken")
    chain: Chain = (Local.ALWAYS_ALLOW,) if token == "everything" else (Local.RBAC,)
    return Description(TokenTable(b"k" * 16, {token: ALICE}), Anonymous(), None, JwtConfiguration(), None, chain)


@asynccontextmanager
async def ruling(policies: Watchable[Policy]) -> AsyncIterator[Rulings]:
    """Rulings that follow the policies."""
    metrics = RulingMetrics.of(CollectorRegistry(), lambda: 0.0)
    rulings = Rulings(policies, describe, metrics, clock=lambda: 0.0, key=b"k" * 16)
    task = asyncio.create_task(rulings.run())
    try:
        yield rulings
    finally:
        task.cancel()
        await asyncio.wait({task})


async def next_of(rulings: Rulings, seen: Ruling | None) -> Ruling:
    """The ruling after one that was seen."""
    async with asyncio.timeout(10):
        latest = await rulings.latest.changed(seen)
    assert latest is not None
    return latest


async def is_known(ruling: Ruling, token: str) -> bool:
    """Whether a bearer of the token is recognised."""
    evidence = Evidence(headers=(("authorization", f"Bearer {token}"),))
    return isinstance(await ruling.authenticate(evidence), Recognised)


async def test_there_is_no_ruling_before_the_first_policy() -> None:
    """Generation 0 is no policy; the first ruling is of the first policy."""
    policies = Watchable(Policy())
    async with ruling(policies) as rulings:
        await asyncio.sleep(0)
        before = rulings.latest.value
        policies.publish(Policy(1, files=files("t")))

        first = await next_of(rulings, before)

    assert (None, 1) == (before, first.policy.generation)


async def test_replaced_files_rule_together_with_their_policy() -> None:
    """A policy's ruling believes what the policy's own files say, and nothing that earlier ones said."""
    policies = Watchable(Policy(1, files=files("old")))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=files("new")))
        second = await next_of(rulings, first)

        known = [await is_known(each, token) for each in (first, second) for token in ("old", "new")]

    assert [True, False, False, True] == known
    assert [1, 2] == [first.policy.generation, second.policy.generation]


async def test_another_chain_of_authorizers_rules_with_its_policy() -> None:
    """Who authorizes follows the files as well."""
    policies = Watchable(Policy(1, files=files("t")))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=files("everything")))
        second = await next_of(rulings, first)

        verdicts = [(await each.authorizer.authorize(ALICE, VERSION)).verdict for each in (first, second)]

    assert [Verdict.DENY, Verdict.ALLOW] == verdicts


async def test_what_a_change_of_rights_leaves_alone_lives_on() -> None:
    """A policy with the same files has the very same authenticators, with whatever they remember."""
    same = files("t")
    policies = Watchable(Policy(1, files=same))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=same))
        second = await next_of(rulings, first)

    assert first.authenticate is second.authenticate


async def test_files_that_cannot_be_used_leave_the_old_in_force() -> None:
    """A policy whose files break between the source and here is ruled by what was good."""
    policies = Watchable(Policy(1, files=files("old")))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=files("broken")))
        second = await next_of(rulings, first)

        assert await is_known(second, "old")


async def test_files_that_cannot_be_used_at_the_start_end_it() -> None:
    """With nothing good to go on with there is no ruling at all."""
    rulings = Rulings(
        Watchable(Policy(1, files=files("broken"))),
        describe,
        RulingMetrics.of(CollectorRegistry(), lambda: 0.0),
        clock=lambda: 0.0,
        key=b"k" * 16,
    )

    with pytest.raises(SettingsError, match="it is broken"):
        await rulings.run()
    assert rulings.latest.value is None


async def test_client_authorities_that_cannot_be_used_keep_nothing_else_in_force() -> None:
    """Tokens that were replaced meanwhile are those of the policy's own files."""
    bad = ClientAuthorities(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    policies = Watchable(Policy(1, files=files("old")))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=first.policy.files, authorities=bad))
        second = await next_of(rulings, first)
        policies.publish(Policy(3, files=files("new"), authorities=bad))
        third = await next_of(rulings, second)

        known = [await is_known(each, token) for each in (second, third) for token in ("old", "new")]

    assert [True, False, False, True] == known


async def test_client_authorities_that_cannot_be_used_at_the_start_end_it() -> None:
    """As files do that cannot be used."""
    with pytest.raises(SettingsError, match="a client CA cannot be used"):
        await Rulings(
            Watchable(Policy(1, files=files("t"), authorities=ClientAuthorities(b"nonsense"))),
            describe,
            RulingMetrics.of(CollectorRegistry(), lambda: 0.0),
            clock=lambda: 0.0,
            key=b"k" * 16,
        ).run()


async def test_bindings_can_be_looked_at_where_they_count() -> None:
    """A ruling shows its RBAC only when that is among the authorizers."""
    policies = Watchable(Policy(1, files=files("t")))
    async with ruling(policies) as rulings:
        first = await next_of(rulings, None)
        policies.publish(Policy(2, files=files("everything")))
        second = await next_of(rulings, first)

    assert [True, False] == [each.rbac is not None for each in (first, second)]


async def test_decisions_are_counted_by_authorizer() -> None:
    """Of whichever chain is in force; system:masters needs none."""
    registry = CollectorRegistry()
    rulings = Rulings(
        Watchable(Policy(1, files=files("everything"))),
        describe,
        RulingMetrics.of(registry, lambda: 0.0),
        clock=lambda: 0.0,
        key=b"k" * 16,
    )
    task = asyncio.create_task(rulings.run())
    ruling = await next_of(rulings, None)
    for groups in ((), ("system:masters",)):
        await ruling.authorizer.authorize(UserInfo("alice", groups=groups), VERSION)
    task.cancel()
    await asyncio.wait({task})

    labels = {"type": "AlwaysAllow", "name": "alwaysallow", "decision": "allowed"}
    assert registry.get_sample_value("apiserver_authorization_decisions_total", labels) == 1
