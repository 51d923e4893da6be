from __future__ import annotations

import orjson
import pytest

from controlplane.auth.authorize import Opinion
from controlplane.auth.decide import decide
from controlplane.auth.evidence import Evidence, Failed, Recognised
from controlplane.model.identity import Decision, RequestInfo, UserInfo, Verdict

ALICE = UserInfo("alice")
ALLOW = Opinion(Verdict.ALLOW)
UNSAFE, UNREADABLE, GOOD = "/api/v1/..", "/api/v1/watch", "/api/v1/pods"
IMPERSONATES = Evidence(headers=(("impersonate-user", "root"),))


class Judge:
    """An authorizer that gives one opinion and remembers what it was asked."""

    def __init__(self, opinion: Opinion) -> None:
        self.opinion = opinion
        self.asked: list[tuple[UserInfo, RequestInfo]] = []

    def authorize(self, user: UserInfo, info: RequestInfo) -> Opinion:
        """The opinion."""
        self.asked.append((user, info))
        return self.opinion


def decided(target: str, evidence: Evidence, *, known: bool = True, opinion: Opinion = ALLOW) -> Decision:
    """The decision for alice, or for nobody."""
    return decide("GET", target, evidence, lambda _: Recognised(ALICE) if known else Failed("no"), Judge(opinion))


def test_a_request_that_passes_every_step_is_allowed() -> None:
    """The decision to allow carries the user and nothing else that matters."""
    actual = decided(GOOD, Evidence())

    assert Decision(user=ALICE) == actual
    assert actual.allowed


@pytest.mark.parametrize(
    ("target", "evidence", "known", "verdict", "code"),
    [
        (UNSAFE, IMPERSONATES, False, Verdict.DENY, 400),
        (UNREADABLE, IMPERSONATES, False, Verdict.DENY, 500),
        (GOOD, IMPERSONATES, False, Verdict.DENY, 401),
        (GOOD, IMPERSONATES, True, Verdict.ALLOW, 403),
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


@pytest.mark.parametrize("name", ["impersonate-user", "impersonate-uid", "impersonate-extra-x", "impersonate_group"])
def test_impersonation_is_never_ignored(name: str) -> None:
    """Any impersonation header, even empty or spelt with an underscore, is refused before the authorizer is asked."""
    judge = Judge(Opinion(Verdict.ALLOW))

    actual = decide("GET", GOOD, Evidence(headers=((name, ""),)), lambda _: Recognised(ALICE), judge)

    assert "impersonation is not supported yet" in orjson.loads(actual.body)["message"]
    assert judge.asked == []


def test_the_authorizers_reason_reaches_the_client() -> None:
    """The reason of a denial is at the end of the 403's message."""
    actual = decided(GOOD, Evidence(), opinion=Opinion(Verdict.NO_OPINION, "RBAC: because"))

    assert orjson.loads(actual.body)["message"].endswith("at the cluster scope: RBAC: because")


def test_the_unsafe_path_is_explained_and_not_repeated() -> None:
    """A 400 says what is wrong with the path."""
    actual = decided(UNSAFE, Evidence())

    message = "the request path holds a dot segment, and might be read in more than one way"
    assert message == orjson.loads(actual.body)["message"]
