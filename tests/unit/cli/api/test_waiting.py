"""Waiting until proxies have what was written."""

from __future__ import annotations

import pytest

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.waiting import Waiting

Rollout = config_pb2.Rollout


def test_without_a_wait_nothing_is_waited_for_or_said() -> None:
    """Writes answer without a rollout then."""
    waiting = Waiting(None)
    waiting.answered(Rollout())

    assert (None, False, ()) == (waiting.duration, waiting.timed_out, waiting.sentences())


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        (Rollout(state=Rollout.STATE_ACKNOWLEDGED, acknowledged=1), "acknowledged by the connected proxy"),
        (Rollout(state=Rollout.STATE_ACKNOWLEDGED, acknowledged=3), "acknowledged by all 3 connected proxies"),
        (Rollout(state=Rollout.STATE_NO_PROXIES), "no proxy is connected; whoever connects gets it"),
    ],
)
def test_how_far_it_came_is_said(rollout: config_pb2.Rollout, said: str) -> None:
    """And the next write waits, too."""
    waiting = Waiting(30)
    waiting.answered(rollout)

    assert waiting.duration is not None
    assert (30, False, (said,)) == (waiting.duration.seconds, waiting.timed_out, waiting.sentences())


@pytest.mark.parametrize(("behind", "who"), [(["a", "b"], "a, b"), ([], "the control plane itself")])
def test_who_is_late_is_said(behind: list[str], who: str) -> None:
    """It is a failure, with where to look."""
    waiting = Waiting(30)
    waiting.answered(Rollout(state=Rollout.STATE_TIMED_OUT, behind=behind))
    [sentence] = waiting.sentences()

    assert (None, True) == (waiting.duration, waiting.timed_out)
    assert sentence.startswith(f"error: timed out after 30s: {who} has not acknowledged yet")
    assert "isthmus proxies" in sentence


def test_who_rejects_something_is_said() -> None:
    """As a warning, because it need not be of this write."""
    waiting = Waiting(30)
    waiting.answered(Rollout(state=Rollout.STATE_ACKNOWLEDGED, acknowledged=1, rejecting=["a"]))

    assert waiting.sentences()[1].startswith("warning: a rejected something")
    assert not waiting.timed_out
