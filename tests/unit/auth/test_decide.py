from __future__ import annotations

import orjson
import pytest
from now import now
from steps import LARGE, MANY, steps

from controlplane.auth.authorize import Opinion
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.model.identity import Account, Decision, RequestInfo, UserInfo, Verdict
from controlplane.model.rbac import Grant, Holder

ALICE = UserInfo("alice")
ALLOW = Opinion(Verdict.ALLOW)
UNSAFE, UNREADABLE, GOOD = "/api/v1/..", "/api/v1/watch", "/api/v1/pods"
IMPERSONATES = Evidence(headers=(("impersonate-user", "root"),))
NAMELESS = Evidence(headers=(("impersonate-group", "g"),))


class Judge:
    """An authorizer that gives one opinion and remembers what it was asked."""

    def __init__(self, opinion: Opinion) -> None:
        self.opinion = opinion
        self.asked: list[tuple[UserInfo, RequestInfo]] = []

    async def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The opinion."""
        self.asked.append((user, info))
        return self.opinion


def decided(
    target: str,
    evidence: Evidence,
    *,
    known: bool = True,
    opinion: Opinion = ALLOW,
    judge: Judge | None = None,
) -> Decision:
    """The decision for alice, or for nobody."""

    async def authenticate(_: Evidence) -> Recognised | Failed:
        return Recognised(ALICE) if known else Failed("no")

    return now(decide("GET", target, evidence, authenticate, judge or Judge(opinion)))


def test_a_request_that_passes_every_step_is_allowed() -> None:
    """The decision to allow carries the user and nothing else that matters."""
    actual = decided(GOOD, Evidence())

    assert Decision(user=ALICE, account=Account(ALICE, opinion=Verdict.ALLOW)) == actual
    assert actual.allowed


@pytest.mark.parametrize(
    ("target", "evidence", "known", "verdict", "code"),
    [
        (UNSAFE, IMPERSONATES, False, Verdict.DENY, 400),
        (UNREADABLE, IMPERSONATES, False, Verdict.DENY, 500),
        (GOOD, IMPERSONATES, False, Verdict.DENY, 401),
        (GOOD, NAMELESS, False, Verdict.DENY, 401),
        (GOOD, NAMELESS, True, Verdict.ALLOW, 400),
        (GOOD, IMPERSONATES, True, Verdict.DENY, 403),
        (GOOD, Evidence(), True, Verdict.DENY, 403),
        (GOOD, Evidence(), True, Verdict.NO_OPINION, 403),
        (UNSAFE, Evidence(), True, Verdict.ALLOW, 400),
    ],
)
def test_the_first_step_that_fails_answers(
    target: str, evidence: Evidence, verdict: Verdict, code: int, *, known: bool
) -> None:
    """Unsafe path, unreadable request, unknown user, impersonation, forbidden: in that order."""
    actual = decided(target, evidence, known=known, opinion=Opinion(verdict))

    assert (False, code) == (actual.allowed, actual.status)
    assert code == orjson.loads(actual.body)["code"]


def test_an_impersonated_user_is_judged_and_told_to_the_backend() -> None:
    """Who may impersonate is judged as the other user, and only the other is known beyond; no such verdict is kept."""
    judge = Judge(Opinion(Verdict.ALLOW, grant=Grant(Holder("Group", "system:masters", ""))))

    actual = decided(GOOD, IMPERSONATES, judge=judge)

    root = UserInfo("root", groups=("system:authenticated",))
    verbs = [(user.name, info.verb) for user, info in judge.asked]
    expected = [("alice", "impersonate-on:user-info:list"), ("alice", "impersonate:user-info"), ("root", "list")]
    assert expected == verbs
    assert (root, None) == (actual.user, actual.validity)
    assert (ALICE, root, "impersonate:user-info") == (
        actual.account.requestor,
        actual.account.impersonated,
        actual.account.constraint,
    )


def test_an_authorizer_that_could_not_be_asked_is_500() -> None:
    """When nobody allows and somebody could not be asked, the client is told to try again rather than to give up."""
    actual = decided(GOOD, Evidence(), opinion=Opinion(Verdict.DENY, "no", error="the webhook is down"))

    assert (500, "Internal error occurred: the webhook is down") == (
        actual.status,
        orjson.loads(actual.body)["message"],
    )


def test_the_authorizers_reason_reaches_the_client() -> None:
    """The reason of a denial is at the end of the 403's message."""
    actual = decided(GOOD, Evidence(), opinion=Opinion(Verdict.NO_OPINION, "RBAC: because"))

    assert orjson.loads(actual.body)["message"].endswith("at the cluster scope: RBAC: because")


def test_the_unsafe_path_is_explained_and_not_repeated() -> None:
    """A 400 says what is wrong with the path."""
    actual = decided(UNSAFE, Evidence())

    message = "the request path holds a dot segment, and might be read in more than one way"
    assert message == orjson.loads(actual.body)["message"]


@pytest.mark.parametrize("target", LARGE, ids=lambda target: target[:40])
@pytest.mark.parametrize("known", [False, True])
def test_no_target_takes_many_steps(target: str, *, known: bool) -> None:
    """Nobody can take the time of others with a path or a query, and least of all without a credential."""
    denial = Opinion(Verdict.NO_OPINION)

    assert steps(lambda: decided(target, Evidence(), known=known, opinion=denial)) < MANY


def test_the_query_of_an_unknown_user_is_not_read() -> None:
    """It costs nothing but its length."""
    query = f"/api/v1/pods?{'limit=1&' * 9}labelSelector=a&fieldSelector=metadata.name=x"

    assert steps(lambda: decided(GOOD, Evidence(), known=False)) == steps(
        lambda: decided(query, Evidence(), known=False)
    )
