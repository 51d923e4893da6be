from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from controlplane.settings.verdicts import VerdictCache


def test_verdicts_are_kept_for_a_short_time_unless_told_otherwise() -> None:
    """Ten seconds, as long as kube-apiserver's webhooks keep a token; nothing is shown to clients."""
    settings = VerdictCache()

    assert (True, timedelta(seconds=10), False) == (settings.enabled, settings.ttl, settings.debug_header)


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("30s", 30), ("5m", 300)])
def test_the_time_is_written_with_its_unit(text: str, seconds: int) -> None:
    """Any whole number of seconds up to five minutes."""
    assert VerdictCache.model_validate({"ttl": text}).ttl == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "wrong",
    [{"ttl": "0s"}, {"ttl": "6m"}, {"ttl": 10}, {"ttl": ""}, {"maxEntries": 1}, {"maxEntries": 2_000_000}, {"size": 1}],
)
def test_what_is_not_bounded_is_refused(wrong: dict[str, object]) -> None:
    """No time, too long a time, too many entries, and settings there are none of."""
    with pytest.raises(ValidationError):
        VerdictCache.model_validate(wrong)


def test_a_wrong_time_is_explained() -> None:
    """The complaint says what is wrong and what to do."""
    with pytest.raises(ValidationError, match="is not between 1s and 5m; choose a time within, or set enabled: false"):
        VerdictCache.model_validate({"ttl": "6m"})
