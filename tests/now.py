"""Coroutines that never wait, as plain calls.

In: a coroutine. Out: what it returns. Law: one that would wait for anything is an error.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


def now(coroutine: Coroutine[object, object, Result]) -> Result:
    """What the coroutine returns, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waits for something")
