"""One xDS stream as a pure machine: both protocol variants, all types or one.

In: requests, snapshots, the time. Out: responses one by one, and events. Law: a response is computed from the state
of the moment it is asked for, one a type is in flight, and content that was rejected never leaves; so a newer state
replaces an older one that was not sent, and nothing queues.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.snapshot import Changes, Resource, Snapshot, differing_names
from controlplane.xds import inventory, order, response, world
from controlplane.xds.event import Converged, Event, Ignored, Nacked, Refused, Rejected, Released, Stale
from controlplane.xds.guard import Guard, ShrinkLimit
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.request import MISSING_ID, DeltaRequest, Node, SotwRequest
from controlplane.xds.selection import Items, Selection
from controlplane.xds.status import Progress, ProxyStatus, Withheld
from controlplane.xds.subscription import Subscription


class Protocol(enum.Enum):
    """The two variants of xDS."""

    DELTA = "delta"
    STATE_OF_THE_WORLD = "state-of-the-world"


class Stream:
    """The server's side of one stream, beginning with `snapshot`; `only` is the type of a service for a single type.

    `wait_limit` is how long, in seconds, a route waits for its clusters to be acknowledged, and a removal for whatever
    still leans on it. `shrink_limit` is how much the client may lose without confirmation, and `confirmed` the
    generation up to which that was given, -1 for none. `peer` and `identifier` (this control plane's name) are carried
    through to status and responses.
    """

    def __init__(
        self,
        protocol: Protocol,
        snapshot: Snapshot,
        quarantine: Quarantine,
        now: float,
        *,
        only: str = "",
        peer: str = "",
        identifier: str = "",
        wait_limit: float = 5.0,
        shrink_limit: ShrinkLimit | None = None,
        confirmed: int = -1,
    ) -> None:
        self.protocol = protocol
        self.snapshot = snapshot
        self.node: Node | None = None
        self._only = only
        self.peer = peer
        self._identifier = identifier
        self.quarantine = quarantine
        self._order: tuple[str, ...] = order.UPSERT_ORDER
        self._subscriptions: dict[str, Subscription] = {}
        self._progress: dict[str, Progress] = {}
        self._guard = Guard(self._subscriptions, shrink_limit, confirmed)
        self._selection = Selection(
            self._subscriptions, quarantine, self._guard, wait_limit, states=protocol is Protocol.STATE_OF_THE_WORLD
        )
        self._events: list[Event] = []
        self._nonces = 0
        self._connected_at = now
        self._behind_since: float | None = None
        self._acked_generation = 0

    @property
    def withholding(self) -> bool:
        """True while removals wait for somebody to confirm them."""
        return self._guard.withholding

    def receive(self, request: DeltaRequest | SotwRequest, now: float) -> None:
        """Takes one request of the stream's own variant."""
        type_url = request.type_url or self._only
        if self.node is None:
            if request.node is None or not request.node.id:
                self._events.append(Refused(MISSING_ID))
                return
            self.node = request.node
        if not type_url:
            self._events.append(Refused("an aggregated request has no type_url; set it on every request"))
        elif (self._only and type_url != self._only) or not self._kept(type_url):
            self._events.append(Ignored(type_url))
        else:
            if not self._known(type_url):
                self._events.append(Ignored(type_url))
            if isinstance(request, DeltaRequest):
                self._receive_delta(type_url, request, now)
            else:
                self._receive_sotw(type_url, request, now)

    def offer(self, snapshot: Snapshot, changes: Changes | None, now: float) -> None:
        """Makes `snapshot` what the client shall have; `changes` since the one before, None to compare everything."""
        if snapshot is self.snapshot:
            return
        self.snapshot = snapshot
        for type_url, subscription in self._subscriptions.items():
            table = snapshot.table(type_url)
            changed = differing_names(subscription.table, table) if changes is None else changes.get(type_url, ())
            if changed:
                self._guard.leave(subscription, now)
            subscription.rebase(table, sorted(changed))
            self._selection.changed(subscription, changed)
        if self._behind_since is None and self._subscriptions:
            self._behind_since = now

    def confirm(self, generation: int) -> bool:
        """Lets snapshots up to `generation` remove what they will; True when `next_response` now has more to send."""
        self._guard.confirm(generation)
        return self.withholding and self.snapshot.generation <= generation

    def next_response(self, now: float) -> response.Response | None:
        """The response to write next, or None: nothing to say before a request, a snapshot or `deadline`."""
        self._judge(now)
        self._selection.tick(now)
        for subscription in self._idle(self._order):
            items = self._selection.upserts(subscription, now)
            if items or subscription.reply_due:
                return self._send(subscription, items, now)
        for subscription in self._idle(order.RETIRED_LAST):
            if items := self._selection.removals(subscription, now):
                return self._send(subscription, items, now)
        busy = self.withholding or any(
            subscription.busy() for subscription in self._subscriptions.values() if self._known(subscription.type_url)
        )
        if self.deadline() is None and not busy:
            self._acked_generation = self.snapshot.generation
            if self._behind_since is not None:
                self._events.append(Converged(self.snapshot.generation, now - self._behind_since))
                self._behind_since = None
        return None

    @property
    def in_step(self) -> bool:
        """True when the client has acknowledged all that there is for it."""
        return self._acked_generation == self.snapshot.generation

    def acknowledged(self, generation: int) -> bool:
        """Whether the client has acknowledged all that there was for it in a generation, or in a later one."""
        return self._acked_generation >= generation

    def deadline(self) -> float | None:
        """When `next_response` shall be asked again even if nothing else happens, or None."""
        return self._selection.deadline()

    def events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def status(self) -> ProxyStatus:
        """How far the client is."""
        return ProxyStatus(
            peer=self.peer,
            protocol=self.protocol.value,
            node=self.node,
            connected_at=self._connected_at,
            offered_generation=self.snapshot.generation,
            acked_generation=self._acked_generation,
            types=tuple(
                inventory.type_status(
                    self._subscriptions[type_url],
                    self._progress[type_url],
                    self.quarantine,
                    withholding=self.withholding,
                )
                for type_url in self._order
                if type_url in self._subscriptions
            ),
        )

    def withheld(self, group: str) -> tuple[Withheld, ...]:
        """The types of which removals wait for somebody to confirm them; `group` is carried through."""
        node_id = self.node.id if self.withholding and self.node is not None else ""
        return tuple(
            Withheld(node_id, group, subscription.type_url, names, subscription.counts()[0])
            for subscription in self._subscriptions.values()
            if self.withholding and (names := inventory.withheld(subscription))
        )

    def _receive_delta(self, type_url: str, request: DeltaRequest, now: float) -> None:
        subscription = self._subscriptions.get(type_url) or self._subscribe(type_url)
        if request.nonce:
            self._answered(subscription, request, now)
        # A rejection that repeats the subscription is none that asks again: answered, it would come again at once.
        if request.error is None:
            self._forgive(subscription, request.subscribe)
        before = self._guard.held(subscription)
        versions = self.snapshot.versions(type_url) if request.initial_versions else None
        subscription.change(request.subscribe, request.unsubscribe, request.initial_versions, versions)
        self._guard.asked(subscription, before, now)

    def _receive_sotw(self, type_url: str, request: SotwRequest, now: float) -> None:
        subscription = self._subscriptions.get(type_url)
        if subscription is None:
            subscription = self._subscribe(type_url)
            self._replace(subscription, request.names, now)
            if (
                subscription.wildcard
                and not subscription.names
                and request.version == world.whole(self.snapshot.fingerprint(type_url))
            ):
                subscription.assume_in_step()
        elif request.nonce != self._progress[type_url].sent_nonce:
            # The answer to the newer response will carry the newer names as well.
            self._events.append(Stale(type_url, request.nonce))
        else:
            if subscription.in_flight is not None:
                self._answered(subscription, request, now)
            self._replace(subscription, request.names, now)

    def _forgive(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Forgets what the client has rejected of what it subscribes to once more: that is to be answered."""
        if not self.quarantine.shared and len(self.quarantine):
            for name in names:
                if (rejected := subscription.table.get(name)) is not None:
                    self.quarantine.forgive(rejected)

    def _replace(self, subscription: Subscription, names: tuple[str, ...], now: float) -> None:
        self._forgive(subscription, (name for name in names if name not in subscription.names))
        before = self._guard.held(subscription)
        subscription.replace(names)
        self._guard.asked(subscription, before, now)

    def _judge(self, now: float) -> None:
        happened = self._guard.judge(self.snapshot.generation, now)
        if happened is not None:
            self._events.append(happened)
        if isinstance(happened, Released):
            # The time that a person took is not the client's.
            self._behind_since = now

    def _kept(self, type_url: str) -> bool:
        """Whether subscriptions to a type are remembered, be it known or not."""
        unlisted = len(self._order) - len(order.UPSERT_ORDER)
        return type_url in self._order or unlisted < order.MOST_UNLISTED

    def _known(self, type_url: str) -> bool:
        """Whether anything is said of a type: it is one of Envoy's, or the snapshot has, or had, some of it."""
        if type_url in order.UPSERT_ORDER or type_url in self.snapshot.tables:
            return True
        subscription = self._subscriptions.get(type_url)
        return subscription is not None and bool(subscription.behind)

    def _subscribe(self, type_url: str) -> Subscription:
        if type_url not in self._order:
            self._order = (*self._order, type_url)
        subscription = Subscription(type_url, self.snapshot.table(type_url))
        self._subscriptions[type_url] = subscription
        self._progress[type_url] = Progress()
        return subscription

    def _answered(self, subscription: Subscription, request: DeltaRequest | SotwRequest, now: float) -> None:
        type_url, progress = subscription.type_url, self._progress[subscription.type_url]
        if request.error is not None:
            suspects = subscription.reject(request.nonce, request.error)
            if suspects is not None:
                progress.error = request.error
                self._events.append(Nacked(type_url, len(suspects), request.error))
                if type_url == CLUSTER:
                    self._selection.answered((), now)
                if len(suspects) == 1 and not self._selection.lacks(subscription, suspects[0]):
                    self._quarantined(subscription, suspects[0], request.error, now)
                return
        else:
            items = subscription.acknowledge(request.nonce)
            if items is not None:
                progress.acked(request.nonce, now)
                for name in items:
                    progress.rejected.pop(name, None)
                if type_url == CLUSTER:
                    self._selection.answered(items, now)
                return
        self._events.append(Stale(type_url, request.nonce))

    def _quarantined(self, subscription: Subscription, resource: Resource, reason: str, now: float) -> None:
        held = subscription.held(resource.name)
        self.quarantine.reject(resource, reason, held if isinstance(held, Resource) else None)
        rejected = Rejected(resource.key, resource.version, reason, self.node.id if self.node else "")
        self._progress[resource.type_url].rejected[resource.name] = rejected, now
        self._events.append(rejected)
        if self.quarantine.shared and held is None and resource.name in subscription.names:
            # Asked for by name and never good: the client is told that it does not exist instead of being left to wait.
            subscription.force(resource.name)
        subscription.reconsider(resource.name)
        if resource.type_url == CLUSTER:
            self._selection.look_again(resource.name)

    def _idle(self, types: tuple[str, ...]) -> Iterator[Subscription]:
        for type_url in types:
            subscription = self._subscriptions.get(type_url)
            if subscription is not None and subscription.in_flight is None and self._known(type_url):
                yield subscription

    def _send(self, subscription: Subscription, items: Items, now: float) -> response.Response:
        type_url = subscription.type_url
        self._nonces += 1
        nonce = str(self._nonces)
        resources = [resource for resource in items.values() if resource is not None]
        if self.protocol is Protocol.DELTA:
            removed = [name for name, resource in items.items() if resource is None]
            answer = response.delta(type_url, nonce, resources, removed, self._identifier)
        else:
            if type_url in order.WHOLE_WORLD:
                resources = world.held_after(subscription, items)
            version = world.version(subscription, items, self.snapshot.fingerprint(type_url))
            answer = response.sotw(type_url, nonce, resources, version, self._identifier)
        subscription.sent(nonce, items)
        self._selection.sent(subscription, items)
        self._progress[type_url].sent(nonce, now)
        return answer
