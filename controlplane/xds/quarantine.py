"""The resources that clients rejected, by version, which stands for the content.

In: rejections. Out: what to send instead. Law: content once rejected is never sent again; a later ACK of the same bytes
proves nothing (Envoy skips bytes it has seen before it validates them), only other content does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from controlplane.model.resource import ResourceName
from controlplane.snapshot.snapshot import Resource


@dataclass(frozen=True, slots=True)
class Rejection:
    """One content of one resource that an Envoy rejected; `last_good` is what it held instead, None when nothing."""

    key: ResourceName
    version: str
    reason: str
    last_good: Resource | None


class Quarantine:
    """Rejected contents; the oldest is forgotten when more than `limit` are kept.

    It is `shared` when it is that of all streams of a node group, whose clients are equal: what one of them rejects is
    bad. Else it is of one stream, and what it holds is that client's opinion.
    """

    def __init__(self, *, shared: bool = False, limit: int = 4096) -> None:
        self.shared = shared
        self._limit = limit
        self._rejections: dict[tuple[str, str, str], Rejection] = {}

    def __len__(self) -> int:
        return len(self._rejections)

    def __iter__(self) -> Iterator[Rejection]:
        return iter(tuple(self._rejections.values()))

    def reject(self, resource: Resource, reason: str, last_good: Resource | None) -> None:
        """Keeps the content of `resource` from ever being sent again; the first reason is kept."""
        if last_good is not None and last_good.version == resource.version:
            last_good = None
        rejection = Rejection(resource.key, resource.version, reason, last_good)
        self._rejections.setdefault(_content(resource), rejection)
        if len(self._rejections) > self._limit:
            del self._rejections[next(iter(self._rejections))]

    def forgive(self, resource: Resource) -> None:
        """Forgets the rejection of exactly this content."""
        self._rejections.pop(_content(resource), None)

    def find(self, resource: Resource) -> Rejection | None:
        """The rejection of exactly this content, or None."""
        return self._rejections.get(_content(resource)) if self._rejections else None

    def servable(self, resource: Resource, held: Resource | None = None) -> Resource | None:
        """The resource itself, or when it was rejected the last good content of its name, or None when there is none.

        For a client that holds other good content of the name, that is the last good one.
        """
        rejection = self.find(resource)
        if rejection is None:
            return resource
        last_good = rejection.last_good
        if held is not None and held.version != resource.version and self.find(held) is None and held is not last_good:
            last_good = held
            self._rejections[_content(resource)] = replace(rejection, last_good=held)
        return last_good if last_good is not None and self.find(last_good) is None else None


def _content(resource: Resource) -> tuple[str, str, str]:
    return resource.type_url, resource.name, resource.version
