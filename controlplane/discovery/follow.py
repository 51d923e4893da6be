"""Asks one server again and again, at kube-aggregator's rhythm.

In: one attempt, as a coroutine function that says why it failed. Out: nothing but the attempts. Law: an attempt is made
at once, whenever poked, a minute after one that succeeded, and sooner, then ever later, after one that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

Pause: TypeAlias = Callable[[asyncio.Event, float], Awaitable[None]]

# kube-aggregator's discoveryRefreshInterval, which is also the longest wait after a failure, and its first wait.
INTERVAL: Final = 60.0
FIRST_RETRY: Final = 0.5

_LANE: Final = 32
_DOUBTFUL_LANE: Final = 8


@dataclass(frozen=True, slots=True)
class Lanes:
    """How many servers are asked at once.

    Those whose last attempt failed have a lane of their own, so that any number of dead ones, each taking its full
    time, never keeps a living one waiting.
    """

    healthy: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LANE))
    doubtful: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_DOUBTFUL_LANE))
    closed_by: set[asyncio.Future[None]] = field(default_factory=set)
    """Nobody is asked until these are done."""

    async def opened(self) -> None:
        """Returns when nothing keeps the lanes closed."""
        while self.closed_by:
            await asyncio.wait(set(self.closed_by))


@dataclass(frozen=True, slots=True)
class Server:
    """One server to ask.

    `attempt` asks it and returns the reason when that failed, else ""; `presume_stale` is called when there is no
    answer after `grace` seconds, so that nobody waits for it any longer. `poked` set means: ask at once.
    """

    name: str
    attempt: Callable[[], Awaitable[str]]
    presume_stale: Callable[[], None]
    grace: float
    poked: asyncio.Event = field(default_factory=asyncio.Event)


async def pause(poked: asyncio.Event, seconds: float) -> None:
    """Waits for `seconds`, or until poked."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await poked.wait()


async def follow(server: Server, lanes: Lanes, pause: Pause) -> None:
    """Attempts for ever; `pause` waits between two of them."""
    log = structlog.get_logger(__name__).bind(server=server.name)
    failed = False
    retry = FIRST_RETRY
    while True:
        server.poked.clear()
        failure = await _attempt(server, lanes, lanes.doubtful if failed else lanes.healthy)
        if failure and not failed:
            log.warning("a server does not say what it serves", reason=failure)
        elif failed and not failure:
            log.info("a server says again what it serves")
        failed = bool(failure)
        delay, retry = (retry, min(2 * retry, INTERVAL)) if failed else (INTERVAL, FIRST_RETRY)
        await pause(server.poked, delay)


async def _attempt(server: Server, lanes: Lanes, lane: asyncio.Semaphore) -> str:
    grace = asyncio.get_running_loop().call_later(server.grace, server.presume_stale)
    try:
        await lanes.opened()
        async with lane:
            return await server.attempt()
    except Exception as error:  # noqa: BLE001 - a defect met in one server's answer must not end discovery of the others
        server.presume_stale()
        return f"defect in the control plane: {error!r}"
    finally:
        grace.cancel()
