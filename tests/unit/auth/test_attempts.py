from __future__ import annotations

import pytest

from controlplane.auth.attempts import Attempt
from controlplane.auth.authorize import ALWAYS_ALLOW, ALWAYS_DENY, Always, Authorizer, Opinion, union
from controlplane.model.identity import RequestInfo, UserInfo, Verdict

INFO = RequestInfo(is_resource_request=False, path="/version", verb="get")


@pytest.mark.parametrize(
    ("authorizer", "result"),
    [
        (union(ALWAYS_ALLOW), "allowed"),
        (union(Always(Opinion(Verdict.NO_OPINION, error="down")), ALWAYS_ALLOW), "allowed"),
        (union(Always(Opinion(Verdict.NO_OPINION, error="down"))), "error"),
        (union(Always(Opinion(Verdict.DENY, error="both"))), "error"),
        (union(Always(Opinion(Verdict.DENY, "no"))), "denied"),
        (union(ALWAYS_DENY), "no-opinion"),
        (union(), "no-opinion"),
    ],
)
async def test_results_are_those_of_kube_apiserver(authorizer: Authorizer, result: str) -> None:
    """What nobody allows is denied only when somebody said so."""
    moments = iter((10.0, 12.5))
    attempt = Attempt(authorizer, lambda: next(moments))

    await attempt.authorize(UserInfo("alice"), INFO)

    assert (result, 2.5) == (attempt.result, attempt.seconds)
