"""A second event loop, in a thread of its own.

In: coroutines, each with a time limit of its own. Out: their results, on the loop that asked. Law: work that nobody
waits for any more goes on to its end, and when the second loop ends everything on it has ended.

For work that is not urgent and mostly leaves the interpreter to others (handshakes, waiting for the network): the main
loop, where requests are authorized, need not wait for thousands of such pieces, nor share its processor with them.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

# A tenth of the share that a thread of ordinary priority gets where processors are short.
_NICE: Final = 10

# At the end, work under way gets this long; what then still waits for a server is cut off.
_GRACE_SECONDS: Final = 0.5
_ROUNDS: Final = 4


class Aside:
    """A second loop; `run` once it runs, which it does inside `aside`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._end = asyncio.Event()
        self._exits = AsyncExitStack()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of `coroutine`, run on the second loop; raises what it raises."""
        # Shielded: asyncio leaks a connection that is cancelled between its TCP and its TLS handshake.
        return await asyncio.shield(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop)))

    def at_end(self, close: Callable[[], Awaitable[None]]) -> None:
        """Has `close` run on the second loop when it ends; to be called there."""
        self._exits.push_async_callback(close)

    def live(self) -> None:
        """Runs the second loop in this thread until `end`."""
        if sys.platform == "linux":
            # Only there is this a matter of threads, not of processes.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_end())

    def end(self) -> None:
        """Ends the second loop, from any thread."""
        self._loop.call_soon_threadsafe(self._end.set)

    async def _until_end(self) -> None:
        async with self._exits:
            await self._end.wait()
            if work := asyncio.all_tasks() - {asyncio.current_task()}:
                _, stuck = await asyncio.wait(work, timeout=_GRACE_SECONDS)
                for task in stuck:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)
        # What was cut off is closed by the loop itself, in its next rounds.
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)


@asynccontextmanager
async def aside(name: str) -> AsyncIterator[Aside]:
    """A second loop that ends with the context; `name` is its thread's."""
    # Made here and run there, so that there is no moment at which a cancelled start would leave it behind.
    second = Aside(asyncio.new_event_loop())
    # A daemon: should the program end without cleaning up, nobody waits for the network.
    thread = threading.Thread(target=second.live, name=name, daemon=True)
    thread.start()
    try:
        yield second
    finally:
        second.end()
        await asyncio.to_thread(thread.join)
