"""What one client asked of one type, and what it is known to hold.

In: subscriptions, sent responses, their acknowledgements, the next table of wanted resources. Out: the names to look
at. Law: a name that is not in `behind` is held exactly as the table says. So a client in full step costs nothing per
resource, whatever it subscribes to, and what it holds changes only by an ACK (or by its own word on a stream's first
request).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from controlplane.snapshot.snapshot import Resource
from controlplane.xds.held import Behind, Claim, Held, InFlight, version_of
from controlplane.xds.order import REMOVED_FIRST, WHOLE_WORLD
from controlplane.xds.suspects import split

WILDCARD = "*"


class Subscription:
    """One client's state for one type."""

    __slots__ = (
        "_named",
        "_started",
        "behind",
        "doubtful",
        "forced",
        "held_back",
        "in_flight",
        "names",
        "queue",
        "reply_due",
        "retiring",
        "table",
        "trials",
        "type_url",
        "wildcard",
    )

    def __init__(self, type_url: str, table: Mapping[str, Resource]) -> None:
        self.type_url = type_url
        self.table = table
        self.wildcard = False
        self.names: set[str] = set()
        self.behind = Behind()
        """Names that the client does not hold as the table says, or not for certain, and what it holds instead."""
        self.queue: dict[str, None] = {}
        """Names to look at, oldest first."""
        self.forced: set[str] = set()
        """Names to be answered even when the client is known to hold them."""
        self.retiring: dict[str, float] = {}
        """Removals that wait until nothing leans on them, and until when."""
        self.held_back: set[str] = set()
        """Names that stay as the client holds them because what the table says was rejected."""
        self.trials: list[tuple[Resource, ...]] = []
        """Parts of rejected responses, each to be sent by itself until the guilty resources are alone."""
        self.doubtful: dict[str, tuple[Resource, ...]] = {}
        """Suspects of rejected responses: the client may hold one of them, for Envoy rejects some messages in part."""
        self.in_flight: InFlight | None = None
        self.reply_due = False
        """True while a response is owed even when it is empty."""
        self._started = False
        self._named = False

    def wants(self, name: str) -> bool:
        """True when the client subscribes to `name`."""
        return self.wildcard or name in self.names

    def held(self, name: str) -> Held:
        """What the client holds under `name` as far as it acknowledged."""
        if name in self.behind:
            return self.behind[name]
        return self.table.get(name) if self.wants(name) else None

    def holds(self, name: str) -> bool:
        """True when the client acknowledged some content of `name` and no removal of it is under way."""
        if self.in_flight is not None and self.in_flight.items.get(name, self) is None:
            return False
        return self.held(name) is not None

    def counts(self) -> tuple[int, int]:
        """How many names the client holds, and how many of those it subscribes to there shall be.

        Free for a wildcard; a client that names what it wants costs its names.
        """
        wanted = len(self.table) if self.wildcard else sum(name in self.table for name in self.names)
        return wanted - self.behind.lacking + len(self.behind.leaving), wanted

    def owed(self, name: str) -> bool:
        """True when `name` is to be answered even if the client seems to hold what it shall."""
        return name in self.forced or name in self.doubtful

    def busy(self) -> bool:
        """True while there is something to send, to wait for or to retire."""
        return bool(self.in_flight or self.queue or self.trials or self.retiring or self.reply_due)

    def change(
        self,
        subscribe: Iterable[str],
        unsubscribe: Iterable[str] = (),
        initial_versions: Mapping[str, str] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Applies a delta request's subscription changes; `initial_versions` count on the first request only.

        `versions` are those of the table, where they are at hand: one comparison then does for a client in full step.
        """
        first, self._started = not self._started, True
        claimed = (initial_versions or {}) if first else {}
        in_step = bool(claimed) and claimed == versions
        subscribe = tuple(subscribe)
        if first and not subscribe and self.type_url in WHOLE_WORLD:
            subscribe = (WILDCARD,)
        if WILDCARD in subscribe:
            self._widen(claimed, in_step=in_step)
        for name in self._claim(subscribe) if in_step and not self.wildcard else subscribe:
            if name != WILDCARD:
                self._add(name, claimed)
        for name in unsubscribe:
            if name == WILDCARD:
                self._narrow()
            elif name in self.names:
                self.names.discard(name)
                if self.wildcard:
                    self.force(name)
                else:
                    self._forget(name)

    def replace(self, names: Iterable[str]) -> None:
        """Makes `names` the whole subscription, as a state-of-the-world request does.

        No names at all mean everything as long as none was ever given (for the types that allow it), and nothing after.
        """
        # In the order of the request: a set's order changes from run to run, and so would the response's.
        wanted = dict.fromkeys(names)
        self._started = True
        self._named = self._named or bool(wanted)
        wildcard = WILDCARD in wanted or (not self._named and self.type_url in WHOLE_WORLD)
        wanted.pop(WILDCARD, None)
        if wildcard:
            self._widen({}, in_step=False)
        for name in wanted:
            if name not in self.names:
                self._add(name, {})
        gone = self.names - wanted.keys()
        self.names -= gone
        if not wildcard:
            self._narrow()
            for name in gone:
                self._forget(name)

    def assume_in_step(self) -> None:
        """Takes the client's word that it holds the whole table."""
        self.behind, self.queue = Behind(), {}
        self.forced.clear()
        self.reply_due = False

    def rebase(self, table: Mapping[str, Resource], changed: Iterable[str]) -> None:
        """Takes `table` as what the client shall hold; `changed` names every difference to the one before."""
        before, self.table = self.table, table
        for name in changed:
            if self.wants(name):
                self.note(name, self.behind[name] if name in self.behind else before.get(name))

    def force(self, name: str) -> None:
        """Answers `name` again even if the client holds it."""
        self.forced.add(name)
        self.reconsider(name)

    def reconsider(self, name: str) -> None:
        """Puts `name` among those to look at, if the client still wants it."""
        if self.wants(name):
            self.queue[name] = None
            self.held_back.discard(name)

    def hold_back(self, name: str) -> None:
        """Leaves `name` as the client holds it until its content changes."""
        self.forced.discard(name)
        self.held_back.add(name)

    def note(self, name: str, held: Held) -> None:
        """Records what the client holds under `name`, and whether that is what it shall hold."""
        self.retiring.pop(name, None)
        self.held_back.discard(name)
        in_step = version_of(held) == version_of(self.table.get(name))
        if in_step:
            self.behind.drop(name)
        else:
            self.behind.put(name, held, listed=name in self.table)
        if in_step and not self.owed(name):
            self.queue.pop(name, None)
        else:
            self.queue[name] = None
        self._shrink()

    def sent(self, nonce: str, items: Mapping[str, Resource | None]) -> None:
        """Records the response in flight."""
        self.in_flight = InFlight(nonce, items)
        self.reply_due = False
        self.forced.difference_update(items)
        for name in items:
            self.retiring.pop(name, None)

    def acknowledge(self, nonce: str) -> Mapping[str, Resource | None] | None:
        """Commits what the response carried; None when `nonce` is not that of the response in flight."""
        flight = self._land(nonce)
        if flight is None:
            return None
        for name, resource in flight.items.items():
            self.doubtful.pop(name, None)
            if self.wants(name):
                self.note(name, resource)
        return flight.items

    def reject(self, nonce: str, reason: str) -> tuple[Resource, ...] | None:
        """Takes the response back; None when `nonce` is not that of the response in flight, else the suspects.

        A single suspect is guilty. Of several, the next responses carry one part each, those that the reason names
        apart from the others. A removal that was rejected by itself is not tried again.
        """
        flight = self._land(nonce)
        if flight is None:
            return None
        suspects = tuple(item for item in flight.items.values() if item is not None)
        for name, item in flight.items.items():
            if item is None and self.wants(name):
                if suspects:
                    self.reconsider(name)
                else:
                    self.hold_back(name)
        wanted = tuple(suspect for suspect in suspects if self.wants(suspect.name))
        for suspect in wanted:
            others = tuple(other for other in self.doubtful.pop(suspect.name, ()) if other.version != suspect.version)
            doubtful = others if len(suspects) == 1 else (*others, suspect)
            if doubtful:
                self.doubtful[suspect.name] = doubtful
        if len(suspects) == 1:
            return suspects
        self.trials[:0] = split(wanted, reason)
        return suspects

    def _land(self, nonce: str) -> InFlight | None:
        flight = self.in_flight
        if flight is None or flight.nonce != nonce:
            return None
        self.in_flight = None
        return flight

    def _claim(self, subscribe: tuple[str, ...]) -> list[str]:
        """Adds the names of the table, all of which the client holds; the others are returned."""
        wanted = set(subscribe)
        # The table's own strings, which all streams share.
        self.names = {name for name in self.table if name in wanted}
        return [] if len(self.names) == len(wanted) else [name for name in subscribe if name not in self.names]

    def _add(self, name: str, claimed: Mapping[str, str]) -> None:
        # A thousand streams name the same thousand clusters: interned, they share the strings.
        name = sys.intern(name)
        known = self.wants(name)
        self.names.add(name)
        claim = claimed.get(name)
        if claim is not None:
            if known or name not in self.table or self.table[name].version != claim:
                self.note(name, Claim(claim))
            return
        if not known and name in self.table:
            self.behind.put(name, None, listed=True)
        self.force(name)

    def _widen(self, claimed: Mapping[str, str], *, in_step: bool) -> None:
        if self.wildcard:
            return
        self.wildcard = self.reply_due = True
        if in_step:
            return
        differing = [name for name, resource in self.table.items() if claimed.get(name) != resource.version]
        gone = sorted(claimed.keys() - self.table.keys())
        for name in (*gone, *differing) if self.type_url in REMOVED_FIRST else (*differing, *gone):
            if name not in self.names:
                held = Claim(claimed[name]) if name in claimed else None
                self.behind.put(name, held, listed=name in self.table)
                self.queue[name] = None

    def _narrow(self) -> None:
        if self.wildcard:
            self.wildcard = self.reply_due = False
            for name in {*self.behind, *self.queue} - self.names:
                self._forget(name)

    def _forget(self, name: str) -> None:
        self.behind.drop(name)
        self.queue.pop(name, None)
        self.forced.discard(name)
        self.held_back.discard(name)
        self.retiring.pop(name, None)
        self.doubtful.pop(name, None)
        self._shrink()

    def _shrink(self) -> None:
        # A dict keeps the room of its largest day: 10,000 names at the cold start would cost every stream for ever.
        if not self.behind:
            self.behind = Behind()
        if not self.queue:
            self.queue = {}
