"""A second event loop, in a thread of its own.

In: coroutines. Out: their results, on the loop that asked. Law: whoever stops waiting cancels the work, and when the
second loop ends everything on it has ended.

For work that is not urgent and mostly leaves the interpreter to others (handshakes, waiting for the network): the main
loop, where requests are authorized, need not wait for thousands of such pieces, nor share its processor with them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

# A tenth of the share that a thread of ordinary priority gets where processors are short.
_NICE: Final = 10


class Aside:
    """A running second loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of `coroutine`, run on the second loop; raises what it raises."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


@asynccontextmanager
async def aside(name: str) -> AsyncIterator[Aside]:
    """A second loop that ends with the context; `name` is its thread's."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        if sys.platform == "linux":
            # Only there is this a matter of threads, not of processes.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        end = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), end))
        await end.wait()

    # A daemon: should the program end without cleaning up, nobody waits for the network.
    thread = threading.Thread(target=lambda: asyncio.run(live()), name=name, daemon=True)
    thread.start()
    loop, end = await asyncio.wrap_future(started)
    try:
        yield Aside(loop)
    finally:
        loop.call_soon_threadsafe(end.set)
        await asyncio.to_thread(thread.join)
