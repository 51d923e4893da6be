"""Which snapshot each group of Envoys shall have, and what changed since the one a stream has.

In: snapshots published by the pipeline. Out: the latest of each group, a way to wait for the next, and the names
changed since a generation. Law: generations of a group only grow, and a stream may always fall back to comparing
everything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from controlplane.aio import Watchable
from controlplane.snapshot.snapshot import Changes, Snapshot


@dataclass(slots=True, eq=False)
class _Group:
    latest: Watchable[Snapshot | None] = field(default_factory=lambda: Watchable(None))
    history: deque[tuple[int, Changes]] = field(default_factory=deque)
    """(generation before, what changed in the step after it), oldest first, without gaps up to the latest."""
    merged: dict[int, Changes] = field(default_factory=dict)
    """What `changes_since` answered for the latest: a thousand streams ask the same question."""


class SnapshotCache:
    """The latest snapshot of every node group; the group "" is for those who need only one."""

    def __init__(self, *, history: int = 64) -> None:
        self._history = history
        self._groups: dict[str, _Group] = {}

    def publish(self, snapshot: Snapshot, group: str = "") -> Snapshot:
        """Makes `snapshot` the group's latest and returns it as published.

        A snapshot built from scratch is renumbered to follow the latest. One that differs in nothing wakes nobody.
        """
        state = self._group(group)
        previous = state.latest.value
        if previous is not None:
            changes = snapshot.changes_from(previous)
            if not changes:
                return previous
            if snapshot.generation <= previous.generation:
                snapshot = snapshot.renumbered(previous.generation + 1)
            state.history.append((previous.generation, changes))
            if len(state.history) > self._history:
                state.history.popleft()
            state.merged.clear()
        state.latest.publish(snapshot)
        return snapshot

    def latest(self, group: str = "") -> Snapshot | None:
        """The latest snapshot, or None before the first was published (streams are refused until then)."""
        # Asking makes no group: what groups there are is for the publisher to say, not for whoever connects.
        return self._groups[group].latest.value if group in self._groups else None

    def generations(self) -> dict[str, int]:
        """The generation of the latest snapshot of each group."""
        return {
            name: snapshot.generation
            for name, state in self._groups.items()
            if (snapshot := state.latest.value) is not None
        }

    def watch(self, group: str = "") -> Watchable[Snapshot | None]:
        """The group's latest snapshot as a value to wait on; it holds None before the first."""
        return self._group(group).latest

    def changes_since(self, generation: int, group: str = "") -> Changes | None:
        """The names changed between `generation` and the latest; None when that is not known: compare everything."""
        state = self._group(group)
        latest = state.latest.value
        if latest is None:
            return None
        if generation == latest.generation:
            return {}
        if (known := state.merged.get(generation)) is not None:
            return known
        steps = [changes for before, changes in state.history if before >= generation]
        if not any(before == generation for before, _ in state.history):
            return None
        merged: dict[str, frozenset[str]] = {}
        for changes in steps:
            for type_url, names in changes.items():
                merged[type_url] = merged.get(type_url, frozenset()) | names
        state.merged[generation] = merged
        return merged

    def _group(self, group: str) -> _Group:
        return self._groups.setdefault(group, _Group())
