"""A part of a snapshot: chosen resources, and all that they lean on.

In: whole snapshots one after the other, with names that are chosen or no longer so. Out: the part's own `Snapshot` of
each. Law: it is what computing it from scratch would give, made of the whole's identical `Resource` objects, and the
work follows what changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.model.resource import EnvoyResource, ResourceName
from controlplane.snapshot.snapshot import Resource, Snapshot


class Part:
    """One part of every whole there will be.

    All resources of `types` are chosen. `own` are resources that stand in for the whole's of the same name.
    """

    def __init__(self, types: Iterable[str] = (), own: Iterable[EnvoyResource] = ()) -> None:
        self._types = frozenset(types)
        self._own = Snapshot().updated(own)
        self._whole = Snapshot()
        self._snapshot = Snapshot()
        self._chosen: set[ResourceName] = set()
        # Counting is enough to find what nothing leans on any more, because no resource leans on itself through others.
        self._claims: dict[ResourceName, int] = {}
        """How many reasons there are to hold a name: that it is chosen, and each resource held that leans on it."""

    def updated(
        self, whole: Snapshot, chosen: Iterable[ResourceName] = (), dropped: Iterable[ResourceName] = ()
    ) -> Snapshot:
        """The part of `whole`; the one before, when the part has not changed.

        `chosen` are to be held from now on, `dropped` no longer unless something else leans on them; no name is in
        both. A name may be said again, and need not be in the whole yet.
        """
        changes, self._whole = whole.changes_from(self._whole), whole
        changed = [ResourceName(type_url, name) for type_url, names in changes.items() for name in names]
        of_types = [key for key in changed if key.type_url in self._types]
        gained = [key for key in dict.fromkeys((*chosen, *of_types)) if key not in self._chosen]
        lost = [key for key in dict.fromkeys(dropped) if key in self._chosen]
        self._chosen.update(gained)
        self._chosen.difference_update(lost)
        now: dict[ResourceName, Resource | None] = {}
        for key in changed:
            if key in self._claims:
                now[key] = self._wanted(key)
                gained += _leaned_on(now[key])
                lost += _leaned_on(self._snapshot.get(key))
        # All gains before any loss: what passes from one to another is never let go in between.
        self._gain(gained, now)
        self._lose(lost, now)
        upserts = [resource for resource in now.values() if resource is not None]
        self._snapshot = self._snapshot.updated(upserts, [key for key, resource in now.items() if resource is None])
        return self._snapshot

    def _gain(self, keys: list[ResourceName], now: dict[ResourceName, Resource | None]) -> None:
        while keys:
            key = keys.pop()
            claims = self._claims.get(key, 0)
            self._claims[key] = claims + 1
            if claims == 0:
                now[key] = self._wanted(key)
                keys += _leaned_on(now[key])

    def _lose(self, keys: list[ResourceName], now: dict[ResourceName, Resource | None]) -> None:
        while keys:
            key = keys.pop()
            self._claims[key] -= 1
            if self._claims[key] == 0:
                del self._claims[key]
                keys += _leaned_on(now[key] if key in now else self._snapshot.get(key))
                now[key] = None

    def _wanted(self, key: ResourceName) -> Resource | None:
        return self._own.get(key) or self._whole.get(key)


def _leaned_on(resource: Resource | None) -> frozenset[ResourceName]:
    return resource.references | resource.children if resource is not None else frozenset()
