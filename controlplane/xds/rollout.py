"""Which streams still have to acknowledge what there was at one moment.

In: the streams of that moment, then each that opens, closes or has nothing more to say. Out: those that are behind, and
a call when there are none. Law: a stream is behind until it acknowledged its group's generation of that moment, or is
closed; an event costs the same however many streams there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from controlplane.xds.stream import Stream


class Rollout:
    """The streams that are waited for; `targets` are generations by node group, `done` is called when all are there."""

    def __init__(
        self, targets: Mapping[str, int], streams: Iterable[tuple[Stream, str]], done: Callable[[], None]
    ) -> None:
        self._targets = targets
        self._done = done
        self._behind: dict[Stream, str] = {}
        for stream, group in streams:
            self._take(stream, group)
        self._look()

    @property
    def behind(self) -> tuple[str, ...]:
        """The node ids of the streams that are waited for, sorted."""
        return tuple(sorted(stream.node.id for stream in self._behind if stream.node is not None))

    def joined(self, stream: Stream, group: str) -> None:
        """Waits for a stream that opened as well."""
        self._take(stream, group)

    def left(self, stream: Stream) -> None:
        """Waits no more for a stream that closed."""
        if self._behind.pop(stream, None) is not None:
            self._look()

    def rested(self, stream: Stream) -> None:
        """Looks at a stream that has nothing to send at the moment."""
        group = self._behind.get(stream)
        if group is not None and stream.acknowledged(self._targets.get(group, 0)):
            del self._behind[stream]
            self._look()

    def _take(self, stream: Stream, group: str) -> None:
        if not stream.acknowledged(self._targets.get(group, 0)):
            self._behind[stream] = group

    def _look(self) -> None:
        if not self._behind:
            self._done()
