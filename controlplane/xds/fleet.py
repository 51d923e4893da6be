"""The open streams of all node groups, and what has been confirmed for each group.

In: streams as they open, rest and close, confirmations. Out: status, and streams to be woken. Law: whatever is known of
a stream here is gone with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.rollout import Rollout
from controlplane.xds.status import ProxyStatus, Withheld
from controlplane.xds.stream import Stream


class Fleet:
    """Every open stream of one service, longest open first."""

    def __init__(self) -> None:
        self._streams: dict[Stream, tuple[str, Callable[[], None]]] = {}
        self._confirmed: dict[str, int] = {}
        self._rollouts: dict[object, Rollout] = {}

    def join(self, stream: Stream, group: str, wake: Callable[[], None]) -> None:
        """Takes in a stream of a node group; `wake` is called when it has to be asked for its next response."""
        self._streams[stream] = group, wake
        for rollout in self._rollouts.values():
            rollout.joined(stream, group)

    def leave(self, stream: Stream) -> None:
        """Forgets a stream."""
        del self._streams[stream]
        for rollout in self._rollouts.values():
            rollout.left(stream)

    def rested(self, stream: Stream) -> None:
        """Hears that a stream has nothing to send at the moment."""
        for rollout in self._rollouts.values():
            rollout.rested(stream)

    @contextmanager
    def awaiting(self, generations: Mapping[str, int], done: Callable[[], None]) -> Iterator[Rollout]:
        """Who has not acknowledged these generations of the groups; `done` is called when nobody is left."""
        streams = ((stream, group) for stream, (group, _) in self._streams.items())
        ticket, rollout = object(), Rollout(generations, streams, done)
        self._rollouts[ticket] = rollout
        try:
            yield rollout
        finally:
            del self._rollouts[ticket]

    def statuses(self) -> list[ProxyStatus]:
        """How far every client is."""
        return [replace(stream.status(), group=group) for stream, (group, _) in self._streams.items()]

    def quarantines(self, group: str) -> Iterator[Quarantine]:
        """What the clients of a node group have rejected, by stream."""
        return (stream.quarantine for stream, (member_of, _) in self._streams.items() if member_of == group)

    def in_step(self, latest: Callable[[str], Snapshot | None]) -> bool:
        """True when there are clients, and all hold what is the `latest` for their group."""
        return bool(self._streams) and all(
            stream.in_step and stream.snapshot is latest(group) for stream, (group, _) in self._streams.items()
        )

    def withholding(self) -> int:
        """How many streams withhold removals."""
        return sum(stream.withholding for stream in self._streams)

    def withheld(self) -> tuple[Withheld, ...]:
        """Which removals are withheld, a value for each type of each stream."""
        return tuple(found for stream, (group, _) in self._streams.items() for found in stream.withheld(group))

    def confirmed(self, group: str) -> int:
        """The generation of a node group up to which removals have been confirmed; -1 for none."""
        return self._confirmed.get(group, -1)

    def confirm(self, group: str, generation: int) -> int:
        """Confirms the removals of a node group up to `generation`; how many streams withheld some and are woken."""
        self._confirmed[group] = generation
        released = [
            wake
            for stream, (member_of, wake) in self._streams.items()
            if member_of == group and stream.confirm(generation)
        ]
        for wake in released:
            wake()
        return len(released)
