"""Proxies that a test plays, as the config API sees them.

In: who is connected. Out: who is behind. Law: nobody acknowledges by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controlplane.model.proxy import Proxy, ProxyState, ProxyType


class Proxies:
    """Proxies that acknowledge when a test says so; all have `types`."""

    def __init__(self) -> None:
        self.connected: dict[str, ProxyState] = {}
        self.types: tuple[ProxyType, ...] = ()
        self._behind: set[str] = set()
        self._done: list[Callable[[], None]] = []
        self.waited_for = asyncio.Event()

    def acknowledge(self, *nodes: str) -> None:
        """These have all that there is."""
        self._behind -= set(nodes)
        if not self._behind:
            for done in self._done:
                done()

    @property
    def behind(self) -> tuple[str, ...]:
        """Those that have not."""
        return tuple(sorted(self._behind))

    @contextmanager
    def awaiting(self, done: Callable[[], None]) -> Iterator[Proxies]:
        """Waits for all that are connected."""
        self._behind, self._done = set(self.connected), [done]
        self.waited_for.set()
        self.acknowledge()
        yield self

    def all(self) -> tuple[Proxy, ...]:
        """All that are connected."""
        return tuple(
            Proxy(node, "", "", "", "", 0.0, 1, 1, state, self.types) for node, state in self.connected.items()
        )
