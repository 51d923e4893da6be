"""Lengths of time as a person writes them.

In: text such as "30m". Out: a `timedelta`. Law: a length that exists was written with its unit.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

_WRITTEN: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def _parse(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(
            f"{value!r} is no length of time; write it in hours, minutes and seconds, such as 1h, 30m or 90s"
        )
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _written(value: timedelta) -> str:
    return f"{value // timedelta(seconds=1)}s"


Duration = Annotated[timedelta, BeforeValidator(_parse), PlainSerializer(_written, when_used="json")]
"""A length of time in whole seconds, written as Go and Kubernetes write it: "1h30m", "90s"."""
