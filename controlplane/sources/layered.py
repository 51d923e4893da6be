"""Objects that are there from the start, under those of a source.

In: default objects, another source's changes. Out: changes in which an object of the source hides the default of the
same key, and the default comes back when the source lets go of it. Law: a key that has a default always has an object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from controlplane.model.change import Change, Delete, Object, ObjectKey, Upsert
from controlplane.sources import Source


class WithDefaults:
    """A source with objects under it, such as kube-apiserver's bootstrap RBAC policy."""

    def __init__(self, source: Source, defaults: Mapping[ObjectKey, Object]) -> None:
        self._source = source
        self._defaults = defaults

    @property
    def name(self) -> str:
        """The name of the source on top."""
        return self._source.name

    async def changes(self) -> AsyncIterator[Sequence[Change]]:
        """The defaults, then what the source says, with its deletions of defaults turned into their return."""
        yield tuple(Upsert(key, thing) for key, thing in self._defaults.items())
        async for batch in self._source.changes():
            yield tuple(self._restored(change) for change in batch)

    def _restored(self, change: Change) -> Change:
        if isinstance(change, Delete) and change.key in self._defaults:
            return Upsert(change.key, self._defaults[change.key])
        return change
