"""Watches: what a client is told about each change.

In go the store, ListOptions and a position; out come events, and the position after them.
The law: for a watch at position p, every matching change with revision > p is told once, in order, or the watch ends
with 410. Pure: waiting and writing are the handler's.
"""

from dataclasses import dataclass
from typing import Final

from servicecatalog.listoptions import ListOptions
from servicecatalog.resources import GROUP_VERSION, Resource
from servicecatalog.schemas import JsonObject
from servicecatalog.status import StatusError, expired, from_the_future
from servicecatalog.store import Change, Store

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"
BOOKMARK: Final = "BOOKMARK"
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Event:
    """One watch event: its type and the object it is about."""

    type: str
    object: JsonObject


@dataclass(frozen=True, slots=True)
class Progress:
    """Events to send now, and the revision up to which the client then knows everything."""

    events: tuple[Event, ...]
    revision: int


class Watch:
    """One client's view of a collection: a namespace (empty for all) and a selector."""

    def __init__(self, store: Store, resource: Resource, namespace: str, options: ListOptions) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._options = options

    def start(self) -> Progress | StatusError:
        """The first events: the present state, where the client asked for it, and the end-of-state bookmark."""
        options = self._options
        current = self._store.revision
        wanted = options.resource_version or 0
        sends_state = not wanted if options.initial_events is None else options.initial_events
        if not sends_state:
            return Progress((), wanted or current)
        if wanted > current:
            return from_the_future(wanted, current)
        present = [obj for _, obj in self._store.snapshot(self._resource.plural) if self._shows(obj)]
        events = [Event(ADDED, obj) for obj in present]
        if options.initial_events and options.bookmarks:
            events.append(self.bookmark(current, initial_events_end=True))
        return Progress(tuple(events), current)

    def advance(self, revision: int) -> Progress | StatusError:
        """The events after a revision; a StatusError when some of them are no longer held."""
        changes = self._store.changes_after(self._resource.plural, revision)
        if changes is None:
            return expired(f"too old resource version: {revision} ({self._store.revision})")
        told = (self._event(change) for change in changes)
        return Progress(tuple(event for event in told if event), max(revision, self._store.revision))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> Event:
        """The event that says the client knows everything up to a revision."""
        metadata: JsonObject = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_events_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        obj = {"apiVersion": GROUP_VERSION, "kind": self._resource.kind, "metadata": metadata}
        return Event(BOOKMARK, obj)

    def _shows(self, obj: JsonObject) -> bool:
        in_namespace = self._namespace in ("", obj["metadata"].get("namespace", ""))
        return in_namespace and self._options.selector.matches(obj)

    def _event(self, change: Change) -> Event | None:
        """The change as this client sees it; None when it never saw the object and still does not."""
        before = change.previous is not None and self._shows(change.previous)
        after = not change.removed and self._shows(change.object)
        if after:
            return Event(MODIFIED if before else ADDED, change.object)
        if not before or change.previous is None:
            return None
        metadata = {**change.previous["metadata"], "resourceVersion": str(change.revision)}
        return Event(DELETED, {**change.previous, "metadata": metadata})
