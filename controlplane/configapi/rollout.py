"""How far a write has come among the proxies.

In: the revision of a write, how far the pipeline is, and the proxies. Out: what a `Rollout` says. Law: nothing is
guessed from time: the write is in what the pipeline has published, and every proxy has acknowledged that, or the answer
says that it has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from controlplane.aio import Watchable
from controlplane.api.v1 import config_pb2
from controlplane.model.proxy import Proxy, ProxyState


class Awaited(Protocol):
    """The proxies that have not acknowledged what was published when the waiting for them began."""

    @property
    def behind(self) -> tuple[str, ...]:
        """Their node ids, sorted; one that goes away is no more among them, one that comes is until it has all."""


Awaiting: TypeAlias = Callable[[Callable[[], None]], AbstractContextManager[Awaited]]
"""Begins to wait: calls back, from then on and perhaps at once, whenever nobody is behind."""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What is known of the pipeline and of the proxies; `reached` is the revision whose consequences are published."""

    reached: Watchable[int]
    awaiting: Awaiting
    connected: Callable[[], tuple[Proxy, ...]]

    async def wait(self, revision: int, seconds: float) -> config_pb2.Rollout:
        """How far a write is when all proxies have it, or after so many seconds."""
        behind: tuple[str, ...] | None = None
        timed_out = False
        try:
            async with asyncio.timeout(seconds):
                reached = self.reached.value
                while reached < revision:
                    reached = await self.reached.changed(reached)
                done = asyncio.Event()
                with self.awaiting(done.set) as awaited:
                    try:
                        await done.wait()
                    finally:
                        behind = awaited.behind
        except TimeoutError:
            timed_out = True
        return self._told(behind, timed_out=timed_out)

    def _told(self, behind: tuple[str, ...] | None, *, timed_out: bool) -> config_pb2.Rollout:
        connected = self.connected()
        nodes = sorted({proxy.node_id for proxy in connected})
        # Before the pipeline has it, nobody has.
        left = nodes if behind is None else sorted(set(behind))
        state = config_pb2.Rollout.STATE_ACKNOWLEDGED
        if timed_out:
            state = config_pb2.Rollout.STATE_TIMED_OUT
        elif not connected:
            state = config_pb2.Rollout.STATE_NO_PROXIES
        return config_pb2.Rollout(
            state=state,
            acknowledged=len(set(nodes).difference(left)),
            behind=left,
            rejecting=sorted({proxy.node_id for proxy in connected if proxy.state is ProxyState.REJECTED}),
        )
