"""Resources that wait for clusters.

In: which resource waits for which cluster, acknowledgements, the time. Out: what may be looked at again. Law: a wait
ends with the cluster's acknowledgement or at its time limit, whichever is first, and the limit counts from the last
answer about any cluster: ten thousand take a slow client longer than one may. Only a wait for a rejected cluster has
no limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.model.resource import ResourceName


class Gate:
    """The waiting resources of one stream; `limit` is in seconds."""

    __slots__ = ("_deadlines", "_overdue", "_progress", "_waiting", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        # In the order in which they came, which is then the order in which they go: equal on every run.
        self._waiting: dict[str, dict[ResourceName, None]] = {}
        # The limit is the same for all, so insertion order is the order of deadlines.
        self._deadlines: dict[ResourceName, float] = {}
        self._overdue: set[ResourceName] = set()
        self._progress = float("-inf")

    def progress(self, now: float) -> None:
        """Lets all waits begin anew: the client is still at work on its clusters."""
        self._progress = now

    def wait(self, key: ResourceName, cluster: str, now: float) -> None:
        """Lets `key` wait for a cluster's acknowledgement; going on for another cluster keeps the deadline."""
        self._waiting.setdefault(cluster, {})[key] = None
        self._deadlines.setdefault(key, now + self.limit)

    def wait_for_content(self, key: ResourceName, cluster: str) -> None:
        """Lets `key` wait without limit, because the cluster was rejected and sending it again is no use."""
        self.passed(key)
        self._waiting.setdefault(cluster, {})[key] = None

    def opened(self, cluster: str) -> Iterable[ResourceName]:
        """What waited for the cluster and shall be looked at again."""
        return self._waiting.pop(cluster, ())

    def expired(self, now: float) -> list[ResourceName]:
        """What has waited long enough and goes on without its cluster."""
        if self._progress + self.limit > now:
            return []
        keys = []
        for key, deadline in self._deadlines.items():
            if deadline > now:
                break
            keys.append(key)
        for key in keys:
            del self._deadlines[key]
            self._overdue.add(key)
        return keys

    def overdue(self, key: ResourceName) -> bool:
        """True once the wait of `key` ended at its limit."""
        return key in self._overdue

    def passed(self, key: ResourceName) -> None:
        """Forgets the wait of `key`: it was sent, or is no longer wanted."""
        self._deadlines.pop(key, None)
        self._overdue.discard(key)

    def deadline(self) -> float | None:
        """When the first wait ends, or None when nothing waits with a limit."""
        first = next(iter(self._deadlines.values()), None)
        return None if first is None else max(first, self._progress + self.limit)
