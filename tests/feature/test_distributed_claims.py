"""Groups that an issuer keeps somewhere else, against real HTTPS servers on this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from distant_groups import ACCESS, World, believing
from structlog.testing import capture_logs

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.configuration import ClaimMapping, ClaimRule
from controlplane.auth.jwt.fetch import MOST_BYTES


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Both issuers and the endpoint."""
    made = World(tmp_path)
    async with made.serving():
        yield made


async def test_groups_are_fetched_from_where_the_token_says(world: World) -> None:
    """With the access token; they are prefixed as any, and the token is good for no longer than what holds them."""
    until = time.time() + 60
    world.answer = lambda _: web.Response(text=world.groups("own", exp=until) + "\n")
    async with believing(world.configuration()) as authenticators:
        outcome = await authenticators.authenticate(world.token())

    assert isinstance(outcome, Recognised)
    assert ("jane", ("oidc:dev", "oidc:qa")) == (outcome.user.name, outcome.user.groups)
    assert until == outcome.until
    assert ("/groups", f"Bearer {ACCESS}") in world.asked


async def test_another_issuer_may_vouch_for_the_groups(world: World) -> None:
    """Its keys are found by discovery, once; the first token waits for them. Without an access token none is shown."""
    world.answer = lambda _: web.Response(text=world.groups("other", aud=["second"]), status=226)
    sources = {"one": {"endpoint": world.url("groups")}}
    async with believing(world.configuration()) as authenticators:
        outcomes = [await authenticators.authenticate(world.token(_claim_sources=sources, jti=str(n))) for n in (1, 2)]

    assert [("oidc:dev", "oidc:qa")] * 2 == [each.user.groups for each in outcomes if isinstance(each, Recognised)]
    assert [path for path, _ in world.asked].count("/other/jwks") == 1
    assert ("/groups", "") in world.asked


async def test_expressions_see_the_groups(world: World) -> None:
    """A rule on claims is about the claims with those that were fetched."""
    rule = ClaimRule(expression="'dev' in claims.groups")
    async with believing(world.configuration(claim_rules=(rule,))) as authenticators:
        assert isinstance(await authenticators.authenticate(world.token()), Recognised)


@pytest.mark.parametrize("claims", [{"groups": ["here"]}, {"_claim_names": {"address": "one"}}])
async def test_only_the_groups_and_only_where_they_are_missing_are_fetched(
    world: World, claims: dict[str, object]
) -> None:
    """Groups in the token count, and other claims are left where they are."""
    async with believing(world.configuration()) as authenticators:
        assert isinstance(await authenticators.authenticate(world.token(**claims)), Recognised)

    assert "/groups" not in [path for path, _ in world.asked]


async def test_without_a_groups_claim_nothing_is_fetched(world: World) -> None:
    """As in kube-apiserver, an expression alone fetches nothing."""
    groups = ClaimMapping(expression="'g' in claims ? claims.g : []")
    async with believing(world.configuration(groups=groups)) as authenticators:
        assert isinstance(await authenticators.authenticate(world.token()), Recognised)

    assert "/groups" not in [path for path, _ in world.asked]


def moved_to(place: str) -> web.Response:
    """A redirect."""
    return web.Response(status=302, headers={"Location": place})


def answers(world: World) -> dict[str, Callable[[web.Request], web.StreamResponse]]:
    """What does not hold, by what is wrong with it."""
    texts = {
        "no JWT": "nonsense",
        "not the groups": world.signed("own", roles=["dev"]),
        "another audience": world.groups("own", aud="other"),
        "no audience": world.groups("own", aud=None),
        "expired": world.groups("own", exp=time.time() - 1),
        "no end": world.groups("own", exp=None),
        "not yet": world.groups("own", nbf=time.time() + 600),
        "another's signature": world.groups("own", by="other"),
        "no issuer": world.groups("own", iss=None),
        "an issuer in plain HTTP": world.groups("own", iss="http://127.0.0.1:1"),
        "an issuer that is not there": world.groups("own", iss=world.url("nowhere")),
        "sources that are none": world.groups("own", _claim_names={"groups": "two"}),
        "too long": "x" * (MOST_BYTES + 1),
    }
    made: dict[str, Callable[[web.Request], web.StreamResponse]] = {
        name: (lambda _, text=text: web.Response(text=text)) for name, text in texts.items()
    }
    made["a status"] = lambda _: web.Response(status=500, text=world.groups("own"))
    made["a loop"] = lambda _: moved_to("/groups")
    made["a way out of TLS"] = lambda _: moved_to("http://127.0.0.1:1/")
    return made


async def test_what_does_not_hold_refuses_the_token(world: World) -> None:
    """Nobody is believed without groups that the issuer gave; no reason and no line of the log holds a secret."""
    with capture_logs() as logs:
        async with believing(world.configuration(), timeout=0.2) as authenticators:
            for wrong, answer in answers(world).items():
                world.answer = answer
                outcome = await authenticators.authenticate(world.token())

                assert isinstance(outcome, Failed), wrong
                assert outcome.reason.startswith("oidc: could not expand distributed claims: "), wrong
                assert ACCESS not in outcome.reason
    assert ACCESS not in str(logs)


@pytest.mark.parametrize(
    "sources",
    [
        {"one": {"endpoint": "http://127.0.0.1:1/groups?secret"}},
        {"one": {"endpoint": "https://127.0.0.1:1/groups?secret"}},
        {"one": {"endpoint": "https://[/groups?secret"}},
        {"one": {"endpoint": "secret"}},
        {"one": {"endpoint": "https://127.0.0.1:1/groups", "access_token": "se\ncret"}},
        {"two": {}},
        None,
    ],
)
async def test_a_place_that_cannot_be_asked_refuses_the_token(world: World, sources: object) -> None:
    """Whether it is written wrong or nobody answers; the place is not told."""
    async with believing(world.configuration()) as authenticators:
        outcome = await authenticators.authenticate(world.token(_claim_sources=sources))

    assert isinstance(outcome, Failed)
    assert "secret" not in outcome.reason


@pytest.mark.parametrize("claims", [{"aud": "other"}, {"exp": 1}, {"_claim_names": {"groups": "one", "x": "two"}}])
async def test_a_token_that_does_not_hold_makes_nobody_be_asked(world: World, claims: dict[str, object]) -> None:
    """It is refused first."""
    async with believing(world.configuration()) as authenticators:
        assert isinstance(await authenticators.authenticate(world.token(**claims)), Failed)

    assert "/groups" not in [path for path, _ in world.asked]


async def test_the_access_token_is_not_shown_to_strangers(world: World) -> None:
    """A redirect to another host goes on without it."""

    def moved(request: web.Request) -> web.StreamResponse:
        if request.path == "/groups":
            return moved_to(f"https://localhost:{world.port}/elsewhere")
        return web.Response(text=world.groups("own"))

    world.answer = moved
    async with believing(world.configuration()) as authenticators:
        assert isinstance(await authenticators.authenticate(world.token()), Recognised)

    assert [("/groups", f"Bearer {ACCESS}"), ("/elsewhere", "")] == world.asked[-2:]


async def test_one_question_is_asked_for_all_who_come_with_a_token(world: World) -> None:
    """They wait for the same answer, which is remembered for a moment like any token."""
    world.answering.clear()
    token = world.token()
    async with believing(world.configuration()) as authenticators:
        waiting = [asyncio.create_task(authenticators.authenticate(token)) for _ in range(3)]
        await world.arrived.wait()
        world.answering.set()
        outcomes = [*await asyncio.gather(*waiting), await authenticators.authenticate(token)]

    assert [Recognised] * 4 == [type(each) for each in outcomes]
    assert [path for path, _ in world.asked].count("/groups") == 1


async def test_so_many_issuers_may_vouch_and_no_more(world: World) -> None:
    """Keys of each are fetched for as long as the configuration stands."""
    issuers = iter(range(100))
    world.answer = lambda _: web.Response(text=world.groups("own", iss=world.url(f"nowhere-{next(issuers)}")))
    async with believing(world.configuration(), timeout=0.01) as authenticators:
        reasons = [
            outcome.reason
            for n in range(17)
            if isinstance(outcome := await authenticators.authenticate(world.token(jti=str(n))), Failed)
        ]

    assert ["verifier not initialized" in reason for reason in reasons] == [True] * 16 + [False]
