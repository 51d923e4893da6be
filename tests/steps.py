"""What a call costs in steps, which are the same on every machine, and requests that are meant to cost much.

In: a call. Out: how many functions it calls. Law: what a compiled function does inside is one step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

MANY = 2000
"""More steps than a request needs, and by far fewer than the large ones have parts."""

_SIZE = 200_000
_PODS = "/api/v1/pods?"


def _many(part: str) -> str:
    return part * (_SIZE // len(part))


LARGE = (
    f"{_PODS}fieldSelector={_many('a=,')}",
    f"{_PODS}fieldSelector={_many('%61=,')}",
    f"{_PODS}fieldSelector=metadata.name=x,{_many('a=,')}",
    f"{_PODS}fieldSelector={_many('metadata.name=,')}",
    f"{_PODS}fieldSelector=metadata.name={_many('%5C%2C')}",
    f"{_PODS}fieldSelector=metadata.name=x,{_many('a=,')}x",
    f"{_PODS}labelSelector={_many('a,')}c",
    f"{_PODS}labelSelector={_many('a>1,')}c&fieldSelector=metadata.name=x",
    f"{_PODS}labelSelector=a+in+({_many('a,')})&fieldSelector=metadata.name=x",
    f"{_PODS}watch=fal%C5%BFe&fieldSelector={_many('a=,')}&labelSelector={_many('a,')}c",
    *(f"{_PODS}{_many(part)}" for part in ("a&", "&", "a=%&", "%61&", "a;&", "limit=1&", "watch=;&", "%77atch&")),
    f"{_PODS}x={_many('%41')}",
    f"{_PODS}watch={_many('%41')}",
    f"/x{_many('/a')}",
    f"/x{_many('/%41')}",
    f"/x{_many('/%41')}/%2E.",
    f"/x{_many('/%41')}%zz",
    f"/x{_many('/%2E%2Ea')}",
    f"/api/v1/pods/{_many('%22')}",
    f"/api/v1/pods/{_many('%C2%AD')}",
    f"/api/v1/watch?{_many('a&')}",
)
"""Targets of many parts; neither a path nor a query is of any use."""


def steps(call: Callable[[], object]) -> int:
    """How many functions `call` calls, in Python or compiled, by itself or through others."""
    count = 0

    def heard(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count
