"""Verdicts that Envoy keeps.

In: the section `verdictCache`. Out: a frozen value. Law: a verdict is kept for a time and in a number that are both
bounded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, field_validator

from controlplane.settings.duration import Duration
from controlplane.settings.section import Section

_LONGEST: Final = timedelta(minutes=5)


class VerdictCache(Section):
    """Whether Envoy keeps verdicts of authorization next to its requests, for how long and how many of them."""

    enabled: bool = True
    """Otherwise every request is asked about."""
    ttl: Duration = timedelta(seconds=10)
    """How long a verdict is kept at most; shorter when the credential ends before."""
    max_entries: Annotated[int, Field(ge=2, le=1_000_000)] = 16_384
    """How many are kept by one worker of Envoy."""
    debug_header: bool = False
    """Whether responses tell in X-Isthmus-Verdict what became of the request: hit, miss or bypass."""

    @field_validator("ttl")
    @classmethod
    def _bounded(cls, value: timedelta) -> timedelta:
        if not timedelta(0) < value <= _LONGEST:
            raise ValueError("is not between 1s and 5m; choose a time within, or set enabled: false")
        return value
