"""A server of the tests in a thread of its own.

In: `_serve`, which serves until `_end` is set. Out: a context manager. Law: who enters finds it serving, and who leaves
leaves no thread behind.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Threaded(ABC):
    """`with` starts and ends it; `_serve` sets `_loop`, `_end`, and `_ready` once it serves."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    @abstractmethod
    async def _serve(self) -> None:
        """Serves until `_end` is set."""
