"""What to send next of one type: make before break.

In: one client's subscriptions, the quarantine, the time. Out: the resources and removals of the next response. Law: a
resource goes out after the clusters that it refers to were acknowledged, a cluster goes away after what leaned on it,
what was rejected stays home, and while the guard withholds nothing goes away at all.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from controlplane.model.resource import CLUSTER, ENDPOINTS, ResourceName
from controlplane.snapshot.snapshot import Resource
from controlplane.xds import order
from controlplane.xds.gate import Gate
from controlplane.xds.guard import Guard
from controlplane.xds.held import version_of
from controlplane.xds.leaning import Leaning
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.subscription import Subscription

Items = dict[str, Resource | None]
"""What a response carries by name; None removes."""


class _Verdict(enum.Enum):
    REMOVE = enum.auto()


_REMOVE: Final = _Verdict.REMOVE


class Selection:
    """Chooses for one stream.

    `states` is True for state of the world: there, absence from a response of a whole-world type removes, and
    removals of other types cannot be said at all.
    """

    __slots__ = ("_gate", "_guard", "_quarantine", "_states", "_subscriptions")

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        quarantine: Quarantine,
        guard: Guard,
        wait_limit: float,
        *,
        states: bool,
    ) -> None:
        self._subscriptions = subscriptions
        self._quarantine = quarantine
        self._guard = guard
        self._gate = Gate(wait_limit)
        self._states = states

    def upserts(self, subscription: Subscription, now: float) -> Items:
        """The next resources of a type, with those removals that need not wait; a part under trial comes first."""
        return self._trial(subscription, now) or self._chunk(subscription, now)

    def removals(self, subscription: Subscription, now: float) -> Items:
        """The removals of a type that nothing leans on any more, or that have waited long enough."""
        if not subscription.retiring:
            return {}
        leaning = Leaning.of(self._subscriptions.values())
        items: Items = {}
        for name, deadline in subscription.retiring.items():
            key = ResourceName(subscription.type_url, name)
            if key in leaning.firm:
                # The last good route stays for want of a better one, so its cluster does too; look again later.
                subscription.retiring[name] = max(deadline, now + self._gate.limit)
            elif deadline <= now or not leaning.holds_up(key):
                items[name] = None
                if len(items) == order.CHUNK_RESOURCES:
                    break
        return items

    def sent(self, subscription: Subscription, items: Items) -> None:
        """Ends the waits of what was sent, and sends again what Envoy expects with it.

        A cluster that changes is warmed anew, and waits 15 seconds for a load assignment that it had before.
        """
        for name, resource in items.items():
            self._gate.passed(ResourceName(subscription.type_url, name))
            for child in resource.children if resource is not None else ():
                owner = self._subscriptions.get(child.type_url)
                if owner is not None and owner.wants(child.name):
                    owner.force(child.name)

    def changed(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Ends the waits for content that is no longer wanted, and for clusters whose content is another now."""
        for name in names:
            if name not in subscription.queue:
                self._gate.passed(ResourceName(subscription.type_url, name))
            if subscription.type_url == CLUSTER:
                self.look_again(name)

    def answered(self, clusters: Iterable[str], now: float) -> None:
        """Takes note that a response with these clusters was acknowledged, or one of them rejected."""
        self._gate.progress(now)
        for cluster in clusters:
            self.look_again(cluster)

    def look_again(self, cluster: str) -> None:
        """Reconsiders what waits for a cluster that was acknowledged, rejected or changed."""
        for key in self._gate.opened(cluster):
            self._subscriptions[key.type_url].reconsider(key.name)

    def tick(self, now: float) -> None:
        """Reconsiders what has waited long enough."""
        for key in self._gate.expired(now):
            subscription = self._subscriptions[key.type_url]
            if subscription.wants(key.name):
                subscription.reconsider(key.name)
            else:
                self._gate.passed(key)

    def deadline(self) -> float | None:
        """When a wait ends, or None when nothing waits with a limit."""
        times = [
            min(subscription.retiring.values())
            for subscription in self._subscriptions.values()
            if subscription.retiring and subscription.in_flight is None
        ]
        if (gate := self._gate.deadline()) is not None:
            times.append(gate)
        return min(times, default=None)

    def _trial(self, subscription: Subscription, now: float) -> Items:
        while subscription.trials:
            items: Items = {}
            for resource in subscription.trials.pop(0):
                listed = subscription.table.get(resource.name)
                wanted = self._quarantine.servable(listed) if listed is not None else None
                unchanged = wanted is not None and wanted.version == resource.version
                if unchanged and subscription.wants(resource.name) and not self._waits(subscription, resource, now):
                    items[resource.name] = resource
                    subscription.queue.pop(resource.name, None)
                else:
                    subscription.reconsider(resource.name)
            if items:
                return items
        return {}

    def _chunk(self, subscription: Subscription, now: float) -> Items:
        whole = self._states and subscription.type_url in order.WHOLE_WORLD
        limit = 1 if subscription.type_url in order.ALONE else order.CHUNK_RESOURCES
        items: Items = {}
        size = 0
        for name in tuple(subscription.queue):
            verdict = self._verdict(subscription, name, now)
            if verdict is not None:
                size += len(verdict.delta_frame) if isinstance(verdict, Resource) else len(name.encode())
                full = size > order.CHUNK_BYTES or (isinstance(verdict, Resource) and len(items) >= limit)
                if items and full and not whole:
                    break
                items[name] = verdict if isinstance(verdict, Resource) else None
            subscription.queue.pop(name, None)
        return items

    def _verdict(self, subscription: Subscription, name: str, now: float) -> Resource | Literal[_Verdict.REMOVE] | None:
        listed, held = subscription.table.get(name), subscription.held(name)
        owed = subscription.owed(name)
        if not owed and version_of(held) == version_of(listed):
            self._gate.passed(ResourceName(subscription.type_url, name))
            subscription.note(name, held)
            return None
        good = held if isinstance(held, Resource) else None
        wanted = self._quarantine.servable(listed, good) if listed is not None else None
        if wanted is not None:
            if not owed and version_of(held) == wanted.version:
                subscription.hold_back(name)
                return None
            return None if self._waits(subscription, wanted, now) else wanted
        if listed is None and (held is not None or name in subscription.doubtful):
            return self._removal(subscription, name, now)
        if held is None:
            # What one client alone rejected is there all the same: nothing is said of it.
            gone = listed is None or self._quarantine.shared
            return self._absent(subscription, name, answer=gone and name in subscription.forced)
        subscription.hold_back(name)
        return None

    def _absent(self, subscription: Subscription, name: str, *, answer: bool) -> Literal[_Verdict.REMOVE] | None:
        if answer and not self._states and subscription.type_url not in order.SILENT_WHEN_MISSING:
            return _REMOVE
        subscription.hold_back(name)
        return None

    def _removal(self, subscription: Subscription, name: str, now: float) -> Literal[_Verdict.REMOVE] | None:
        if subscription.type_url in order.NEVER_REMOVED:
            subscription.hold_back(name)
            return None
        if self._states and subscription.type_url not in order.WHOLE_WORLD:
            subscription.doubtful.pop(name, None)
            subscription.note(name, None)
            return None
        if self._guard.withholding:
            # It leaves the queue and stays among those leaving: the guard puts it back when it lets go.
            return None
        if subscription.type_url in order.RETIRED_LAST:
            subscription.retiring.setdefault(name, now + self._gate.limit)
            return None
        return _REMOVE

    def lacks(self, subscription: Subscription, resource: Resource) -> bool:
        """True when a resource that was rejected may be good, for the client lacked a cluster that it refers to.

        It is then held back until that cluster was acknowledged.
        """
        missing = self._missing(resource)
        if missing:
            self._gate.wait_for_content(resource.key, missing[0])
            subscription.hold_back(resource.name)
        return bool(missing)

    def _waits(self, subscription: Subscription, resource: Resource, now: float) -> bool:
        missing = self._missing(resource)
        for cluster in missing:
            if cluster in self._subscriptions[CLUSTER].table and not self._coming(cluster):
                self._gate.wait_for_content(resource.key, cluster)
                subscription.hold_back(resource.name)
                return True
        if not missing or self._gate.overdue(resource.key):
            return False
        self._gate.wait(resource.key, missing[0], now)
        return True

    def _missing(self, resource: Resource) -> list[str]:
        """The clusters that a resource refers to and that the client wants and does not hold."""
        clusters = self._subscriptions.get(CLUSTER)
        if clusters is None or not resource.references or resource.type_url == ENDPOINTS:
            return []
        missing = sorted(
            reference.name
            for reference in resource.references
            if reference.type_url == CLUSTER
            # What was only read may be in the client's own bootstrap.
            and (not resource.read or reference.name in clusters.table)
            and clusters.wants(reference.name)
            and not clusters.holds(reference.name)
        )
        # A cluster's own reference is for order alone: it waits for what is on its way, and can do without.
        return missing if resource.type_url != CLUSTER else [name for name in missing if self._coming(name)]

    def _coming(self, cluster: str) -> bool:
        listed = self._subscriptions[CLUSTER].table.get(cluster)
        return listed is not None and self._quarantine.servable(listed) is not None
