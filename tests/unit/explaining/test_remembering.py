"""What is said of Envoy's memory, beside the script that is its memory."""

from __future__ import annotations

from random import Random

import pytest
from lua import Verdicts

from controlplane.explaining.remembering import why_asked

METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
STARTS = ("/api/v1", "/api/v1", "/apis/a.io/v1", "/apis/a.io/v1", "/apis/a.io", "/apis", "/api", "")
PIECES = (
    *("things", "namespaces", "namespaces", "n", "x", "status", "finalize", "watch", "proxy", "version", "v1"),
    *("*", ".", "..", "", "%78", "x;y", "x:y", "~", "x#", "\u00e9", "x" * 200),
)
QUERIES = (
    *("", "", "", "?", "?limit=5", "?watch=true", "?watch=1", "?watch=false", "?watch", "?watch=", "?a=b=c", "?a?b=c"),
    *("?watch=1&watch=1", "?limit=1&watch=true&&", "?fieldSelector=metadata.name%3Dx", "?w1=x", "?=x", "?a=;", "?a=#"),
)


def test_it_is_what_the_script_does() -> None:
    """Of 20,000 requests of all kinds a reason is given for just those of which the script finds no scope."""
    dice, verdicts, asked = Random(5), Verdicts(), 0  # noqa: S311 - a test must be able to be run again

    for _ in range(20_000):
        pieces = "".join(f"/{dice.choice(PIECES)}" for _ in range(dice.randrange(6)))
        method, target = dice.choice(METHODS), dice.choice(STARTS) + pieces + dice.choice(QUERIES)
        why = why_asked(method, target)
        assert (verdicts.scopes(method, target) is None) == bool(why), (method, target, why)
        asked += bool(why)
    assert 2_000 < asked < 18_000


@pytest.mark.parametrize(("length", "remembered"), [(8192, True), (8193, False)])
def test_a_long_token_is_not_remembered(length: int, remembered: bool) -> None:
    """The script looks up none that is longer, and so it is said."""
    authorization = "Bearer ".ljust(length, "x")

    assert (why_asked("GET", "/version", [("authorization", authorization)]) == "") == remembered
    assert (Verdicts().ask(authorization, "GET", "/version") is not None) == remembered
