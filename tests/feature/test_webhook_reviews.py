"""Tokens and requests reviewed by a real HTTPS server, as the live objects ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from review_server import NAME, Reply, ReviewServer, reply

from controlplane.auth.authorize import ALWAYS_ALLOW, Authorizer, Opinion, PrivilegedGroups, union
from controlplane.auth.evidence import Failed, Recognised, TokenAuthenticator
from controlplane.auth.webhook.chain import authorizers
from controlplane.auth.webhook.client import Surroundings
from controlplane.auth.webhook.described import AccessReviews, Local, TokenReviews
from controlplane.auth.webhook.kubeconfig import Connection
from controlplane.auth.webhook.metrics import WebhookMetrics
from controlplane.auth.webhook.tokens import token_reviews
from controlplane.model.identity import RequestInfo, UserInfo, Verdict

JANE = {"authenticated": True, "user": {"username": "jane", "uid": "u1", "groups": ["g"], "extra": {"K": ["v"]}}}
USER = UserInfo("jane", "u1", ("g",), (("k", ("v",)),))
LIST = RequestInfo(True, "/api/v1/pods", "list", "", "v1", "", "pods")
NO = Opinion(Verdict.NO_OPINION)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@asynccontextmanager
async def reviewing(
    server: ReviewServer,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    timer: Clock | None = None,
    **wanted: Any,  # noqa: ANN401 - fields of the description
) -> AsyncIterator[TokenAuthenticator]:
    """Tokens reviewed by a server; without `timer` the steady clock goes as the other one."""
    description = TokenReviews(Connection(server.url, server.authority.certificate, NAME), **wanted)
    metrics = WebhookMetrics(registry or CollectorRegistry())
    steady = Surroundings(clock=timer or clock)
    async with token_reviews(description, metrics, clock=clock, key=b"k" * 16, surroundings=steady) as authenticate:
        yield authenticate


@asynccontextmanager
async def authorizing(
    server: ReviewServer,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    **wanted: Any,  # noqa: ANN401 - fields of the description
) -> AsyncIterator[Authorizer]:
    """Requests reviewed by a server."""
    description = AccessReviews("w", Connection(server.url, server.authority.certificate, NAME), **wanted)
    metrics = WebhookMetrics(registry or CollectorRegistry())
    async with authorizers((description,), metrics, surroundings=Surroundings(clock=clock)) as around:
        (authorizer,) = around(ALWAYS_ALLOW)
        yield authorizer


async def test_a_recognised_token_is_its_user_for_ten_seconds(tmp_path: Path) -> None:
    """The server is asked once in ten seconds, and nobody may rely on its answer for longer."""
    clock = Clock()
    async with ReviewServer(tmp_path, reply(JANE)) as server, reviewing(server, clock) as authenticate:
        first = await authenticate("abc")
        clock.now = 1009.9
        second = await authenticate("abc")
        asked = len(server.bodies)
        clock.now = 1010.0
        await authenticate("abc")

    assert Recognised(USER, until=1010.0) == first == second
    assert (1, 2) == (asked, len(server.bodies))


async def test_a_clock_that_is_set_back_keeps_no_token(tmp_path: Path) -> None:
    """A token that the server no longer recognises is refused ten seconds later, whatever the time of day is then."""
    clock, timer = Clock(), Clock()
    replies = (reply(JANE), reply({"authenticated": False}))
    async with ReviewServer(tmp_path, *replies) as server, reviewing(server, clock, timer=timer) as authenticate:
        before = await authenticate("abc")
        clock.now -= 3600
        timer.now += 9.9
        within = await authenticate("abc")
        timer.now += 0.1
        after = await authenticate("abc")

    assert before == within == Recognised(USER, until=1010.0)
    assert after is None


async def test_the_token_is_sent_as_kube_apiserver_sends_it(tmp_path: Path) -> None:
    """A TokenReview of the wanted version arrives, with the audiences."""
    wanted = {"version": "v1beta1", "audiences": ("a", "b")}
    async with ReviewServer(tmp_path, reply(JANE)) as server, reviewing(server, Clock(), **wanted) as authenticate:
        await authenticate("abc")

    expected = {
        "kind": "TokenReview",
        "apiVersion": "authentication.k8s.io/v1beta1",
        "metadata": {},
        "spec": {"token": "abc", "audiences": ["a", "b"]},
        "status": {"user": {}},
    }
    assert [expected] == server.bodies


@pytest.mark.parametrize(
    ("audiences", "answered", "held"),
    [((), [], True), (("a",), ["b", "a"], True), (("a",), ["b"], False), (("a",), [], True), ((), ["b"], True)],
)
async def test_a_token_must_be_for_a_wanted_audience(
    tmp_path: Path, audiences: tuple[str, ...], answered: list[str], held: bool
) -> None:
    """Audiences that the server names must be among the wanted ones, if any are wanted."""
    status = reply({**JANE, "audiences": answered})
    async with (
        ReviewServer(tmp_path, status) as server,
        reviewing(server, Clock(), audiences=audiences) as authenticate,
    ):
        outcome = await authenticate("abc")

    assert held == isinstance(outcome, Recognised)
    assert held or outcome is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply({"authenticated": False}), None),
        (reply({"authenticated": False, "error": "abc is old"}), Failed("token review: [redacted] is old")),
        (reply({"authenticated": True}), Failed("token review: a user without a name has no identity headers")),
        (Reply(body=b"no"), Failed("token review: the answer is not JSON")),
        (
            Reply(403, b'{"kind":"Status","message":"abc?"}'),
            Failed("token review: the server answered 403: [redacted]?"),
        ),
    ],
)
async def test_whoever_is_not_recognised_is_asked_about_again(tmp_path: Path, answer: Reply, expected: object) -> None:
    """No failure is kept, and no reason holds the token."""
    async with ReviewServer(tmp_path, answer) as server, reviewing(server, Clock()) as authenticate:
        first = await authenticate("abc")
        second = await authenticate("abc")

    assert (expected, expected) == (first, second)
    assert 2 == len(server.bodies)


async def test_questions_about_one_token_at_one_time_are_one(tmp_path: Path) -> None:
    """Everybody who waits gets the one answer, and one who leaves takes it from nobody."""
    async with (
        ReviewServer(tmp_path, replace(reply(JANE), fault="hang")) as server,
        reviewing(server, Clock()) as authenticate,
    ):
        tasks = [asyncio.ensure_future(authenticate("abc")) for _ in range(5)]
        await server.arrived.wait()
        tasks[0].cancel()
        server.release.set()
        outcomes = await asyncio.gather(*tasks[1:])

    assert [Recognised(USER, until=1010.0)] * 4 == outcomes
    assert 1 == len(server.bodies)


async def test_leaving_waits_for_questions_under_way(tmp_path: Path) -> None:
    """Whoever is being asked about when the settings change gets an answer."""
    async with ReviewServer(tmp_path, replace(reply(JANE), fault="hang")) as server:
        async with reviewing(server, Clock()) as authenticate:
            task = asyncio.ensure_future(authenticate("abc"))
            await server.arrived.wait()
            asyncio.get_running_loop().call_soon(server.release.set)
        done = task.done()
        outcome = await task

    assert done
    assert Recognised(USER, until=1010.0) == outcome


async def test_a_request_is_sent_as_kube_apiserver_sends_it(tmp_path: Path) -> None:
    """A SubjectAccessReview of the wanted version arrives, empty fields left out."""
    async with ReviewServer(tmp_path, reply({"allowed": True})) as server:
        for version in ("v1", "v1beta1"):
            async with authorizing(server, Clock(), version=version) as authorizer:
                await authorizer.authorize(USER, LIST)

    attributes = {"verb": "list", "version": "v1", "resource": "pods"}
    spec = {"resourceAttributes": attributes, "user": "jane", "extra": {"k": ["v"]}, "uid": "u1"}
    head = {"kind": "SubjectAccessReview", "metadata": {}, "status": {"allowed": False}}
    expected = [
        {**head, "apiVersion": "authorization.k8s.io/v1", "spec": {**spec, "groups": ["g"]}},
        {**head, "apiVersion": "authorization.k8s.io/v1beta1", "spec": {**spec, "group": ["g"]}},
    ]
    assert expected == server.bodies


@pytest.mark.parametrize(
    ("status", "expected", "seconds"),
    [
        ({"allowed": True, "reason": "r"}, Opinion(Verdict.ALLOW, "r"), 300),
        ({"allowed": False, "denied": True, "reason": "r"}, Opinion(Verdict.DENY, "r"), 30),
        ({"allowed": False}, NO, 30),
        (
            {"allowed": True, "denied": True},
            Opinion(error="webhook subject access review returned both allow and deny response"),
            300,
        ),
    ],
)
async def test_answers_are_kept_for_their_time(tmp_path: Path, status: object, expected: Opinion, seconds: int) -> None:
    """Allowed holds for five minutes and everything else for 30 seconds; the same question is not asked meanwhile."""
    clock = Clock()
    async with ReviewServer(tmp_path, reply(status)) as server, authorizing(server, clock) as authorizer:
        opinions = [await authorizer.authorize(USER, LIST)]
        clock.now += seconds - 0.1
        opinions.append(await authorizer.authorize(USER, LIST))
        asked = len(server.bodies)
        clock.now += 0.1
        await authorizer.authorize(USER, LIST)

    assert [expected, expected] == opinions
    assert (1, 2) == (asked, len(server.bodies))


@pytest.mark.parametrize(("length", "asked"), [(9_970, 1), (10_000, 2)])
async def test_long_questions_are_not_kept(tmp_path: Path, length: int, asked: int) -> None:
    """The answer to a question that takes 10,000 bytes is not kept."""
    info = replace(LIST, path="", name="x" * length)
    async with ReviewServer(tmp_path, reply({"allowed": True})) as server, authorizing(server, Clock()) as authorizer:
        for _ in range(2):
            await authorizer.authorize(USER, info)

    assert asked == len(server.bodies)


@pytest.mark.parametrize(("policy", "opened"), [(Verdict.NO_OPINION, 1.0), (Verdict.DENY, None)])
async def test_no_answer_is_what_the_failure_policy_says(tmp_path: Path, policy: Verdict, opened: float | None) -> None:
    """A server that fails leaves the verdict to the policy, with an error, and is asked again the next time."""
    registry = CollectorRegistry()
    async with (
        ReviewServer(tmp_path, Reply(404)) as server,
        authorizing(server, Clock(), registry, failure_policy=policy) as authorizer,
    ):
        opinion = await authorizer.authorize(USER, LIST)

    prefix = "isthmus_authorization_webhook_evaluations"
    labels = {"name": "w", "result": "error"}
    assert Opinion(policy, error="webhook w: the server answered 404") == opinion
    assert 1.0 == registry.get_sample_value(f"{prefix}_total", labels)
    assert opened == registry.get_sample_value(f"{prefix}_fail_open_total", labels)


async def test_equal_questions_at_one_time_are_one(tmp_path: Path) -> None:
    """Requests that ask the same wait for one answer."""
    async with (
        ReviewServer(tmp_path, replace(reply({"allowed": True}), fault="hang")) as server,
        authorizing(server, Clock()) as authorizer,
    ):
        tasks = [asyncio.ensure_future(authorizer.authorize(USER, LIST)) for _ in range(5)]
        await server.arrived.wait()
        server.release.set()
        opinions = await asyncio.gather(*tasks)

    assert [Opinion(Verdict.ALLOW)] * 5 == opinions
    assert 1 == len(server.bodies)


async def test_only_matching_requests_are_asked_about(tmp_path: Path) -> None:
    """A false condition keeps a request from the webhook, and an error leaves it to the failure policy."""
    conditions = ("request.user != 'kate'", "request.resourceAttributes.verb == 'list'")
    registry = CollectorRegistry()
    async with (
        ReviewServer(tmp_path, reply({"allowed": True})) as server,
        authorizing(server, Clock(), registry, match_conditions=conditions) as authorizer,
    ):
        opinions = [
            await authorizer.authorize(user, info)
            for user, info in ((USER, LIST), (replace(USER, name="kate"), LIST), (USER, replace(LIST, verb="get")))
        ]
        erring = await authorizer.authorize(USER, RequestInfo(is_resource_request=False, path="/x", verb="get"))

    labels = {"type": "Webhook", "name": "w"}
    assert [Opinion(Verdict.ALLOW), NO, NO] == opinions
    assert Verdict.DENY is erring.verdict
    assert erring.error.startswith("webhook w: cel evaluation error: expression 'request.resourceAttributes.verb")
    assert 1 == len(server.bodies)
    assert 2.0 == registry.get_sample_value("isthmus_authorization_match_condition_exclusions_total", labels)
    assert 1.0 == registry.get_sample_value("isthmus_authorization_match_condition_evaluation_errors_total", labels)


async def test_nothing_is_granted_for_keeps_after_a_webhook(tmp_path: Path) -> None:
    """A local authorizer's grant is kept only when no webhook comes before it."""
    before = AccessReviews("w", Connection("https://127.0.0.1:1", None))
    root = replace(USER, groups=("system:masters",))
    kept: list[bool] = []
    async with ReviewServer(tmp_path, reply({"allowed": False})) as server:
        webhook = replace(before, connection=Connection(server.url, server.authority.certificate, NAME))
        for chain in ((Local.RBAC, webhook), (webhook, Local.RBAC)):
            async with authorizers(chain, WebhookMetrics(CollectorRegistry())) as around:
                opinion = await union(*around(PrivilegedGroups())).authorize(root, LIST)
                assert Verdict.ALLOW is opinion.verdict
                kept.append(opinion.grant is not None)

    assert [True, False] == kept
    assert 1 == len(server.bodies)
