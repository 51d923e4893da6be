"""A versioned object store in memory, with a bounded window of past changes.

In go objects; out come objects, lists at a version, and the changes after a version.
The law: every write raises one counter by one, the written object carries that number as its resourceVersion, and
the change is kept until `history` later changes of the same resource have pushed it out. For each resource
floor <= revision of every kept change, and nothing at or above the floor is ever missing.
"""

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from servicecatalog.schemas import JsonObject

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: the object after it, and the object before it (None when it was created).

    For a removal `object` is the last state, carrying the revision of the removal.
    """

    revision: int
    removed: bool
    object: JsonObject
    previous: JsonObject | None


@dataclass(slots=True)
class _Collection:
    floor: int
    objects: dict[Key, JsonObject] = field(default_factory=dict)
    changes: deque[Change] = field(default_factory=deque)


class Store:
    """Every object of every resource; objects handed out are shared and must not be changed."""

    def __init__(self, *, initial_revision: int, history: int, on_write: Callable[[], None]) -> None:
        """Start empty at `initial_revision`; `on_write` is called after each write."""
        self._revision = initial_revision
        self._initial = initial_revision
        self._history = history
        self._on_write = on_write
        self._collections: dict[str, _Collection] = {}

    @property
    def revision(self) -> int:
        """The revision of the last write."""
        return self._revision

    def get(self, plural: str, key: Key) -> JsonObject | None:
        """The object under that key; None when there is none."""
        return self._collection(plural).objects.get(key)

    def put(self, plural: str, key: Key, obj: JsonObject) -> JsonObject:
        """Keep a copy of the object under the next revision and return what was kept."""
        collection = self._collection(plural)
        previous = collection.objects.get(key)
        kept = self._stamped(obj)
        collection.objects[key] = kept
        self._record(collection, Change(self._revision, removed=False, object=kept, previous=previous))
        return kept

    def remove(self, plural: str, key: Key) -> JsonObject | None:
        """Forget the object and return its last state under the revision of the removal; None if it was absent."""
        collection = self._collection(plural)
        previous = collection.objects.pop(key, None)
        if previous is None:
            return None
        last = self._stamped(previous)
        self._record(collection, Change(self._revision, removed=True, object=last, previous=previous))
        return last

    def snapshot(self, plural: str) -> tuple[tuple[Key, JsonObject], ...]:
        """The objects as they are now, sorted by key."""
        return tuple(sorted(self._collection(plural).objects.items()))

    def snapshot_at(self, plural: str, revision: int) -> tuple[tuple[Key, JsonObject], ...] | None:
        """The objects as they were at a revision, sorted by key; None when the window no longer reaches it."""
        later = self.changes_after(plural, revision)
        if later is None:
            return None
        objects = dict(self._collection(plural).objects)
        for change in reversed(later):
            metadata = change.object["metadata"]
            key = (metadata.get("namespace", ""), metadata["name"])
            if change.previous is None:
                objects.pop(key)
            else:
                objects[key] = change.previous
        return tuple(sorted(objects.items()))

    def changes_after(self, plural: str, revision: int) -> tuple[Change, ...] | None:
        """The changes later than a revision, oldest first; None when the window no longer reaches it."""
        collection = self._collection(plural)
        if revision < collection.floor:
            return None
        later: list[Change] = []
        for change in reversed(collection.changes):
            if change.revision <= revision:
                break
            later.append(change)
        return tuple(reversed(later))

    def _collection(self, plural: str) -> _Collection:
        return self._collections.setdefault(plural, _Collection(floor=self._initial))

    def _stamped(self, obj: JsonObject) -> JsonObject:
        self._revision += 1
        kept = deepcopy(obj)
        kept["metadata"]["resourceVersion"] = str(self._revision)
        return kept

    def _record(self, collection: _Collection, change: Change) -> None:
        collection.changes.append(change)
        if len(collection.changes) > self._history:
            collection.floor = collection.changes.popleft().revision
        self._on_write()
