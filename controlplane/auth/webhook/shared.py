"""One call for all who ask the same at the same time.

In: a key and the call that answers it. Out: the answer. Law: a call that nobody waits for any more is ended, and one
asker's going never takes the answer from the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True)
class _Call(Generic[V]):
    task: asyncio.Task[V]
    askers: int = 0


class Shared(Generic[V]):
    """The calls under way, by key."""

    def __init__(self) -> None:
        self._calls: dict[bytes, _Call[V]] = {}

    async def ask(self, key: bytes, call: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer to `key`: of the call that is under way, or of `call`."""
        shared = self._calls.get(key)
        if shared is None:
            shared = self._calls[key] = _Call(asyncio.create_task(call()))
        shared.askers += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.askers -= 1
            if not shared.askers:
                # Whoever asks from now on must not get an answer that is being given up.
                if self._calls.get(key) is shared:
                    del self._calls[key]
                shared.task.cancel()

    async def ended(self) -> None:
        """Returns when no call is under way any more; every call has a time limit of its own."""
        while self._calls:
            await asyncio.wait([call.task for call in self._calls.values()])
            await asyncio.sleep(0)
