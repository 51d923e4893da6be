"""Whether a snapshot takes so much from a client that a person is to confirm it first.

In: one client's subscriptions, the limit, what was confirmed, the time. Out: whether removals are withheld, and events.
Law: while what a client holds would shrink past the limit and nobody has confirmed it, no removal is chosen; and one
change costs as many steps as there are guarded types, whatever a client holds.

A shrink is counted in sizes, from the largest of the last while to the wanted one. Sizes, because what is replaced by
as many others is not lost: an upgrade that renames everything needs nobody's leave. The largest of a while, because a
folder or a namespace that is deleted goes one object after the other. What is held while old and new overlap does not
count as a size; what a client says that it holds when it comes back does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.xds import order
from controlplane.xds.event import Released, Withheld
from controlplane.xds.subscription import Subscription


@dataclass(frozen=True, slots=True)
class ShrinkLimit:
    """How much of a type a client may lose without confirmation: up to `percent`, or fewer than `at_least` names.

    Small steps are added up over `seconds` at least, and over twice as many at most.
    """

    percent: float
    at_least: int
    seconds: float = 600.0

    def exceeded(self, size: int, wanted: int) -> bool:
        """True when shrinking from `size` names to `wanted` is too much."""
        lost = size - wanted
        return lost >= self.at_least and lost * 100 > size * self.percent


class Guard:
    """The guard of one stream; without a limit it never withholds.

    Snapshots up to the generation `confirmed` may take what they will. A client that says on a new stream what it holds
    is believed; one that does not (state of the world has no words for it) is guarded for what it is sent from then on.
    """

    __slots__ = ("_confirmed", "_limit", "_sizes", "_subscriptions", "withholding")

    def __init__(self, subscriptions: Mapping[str, Subscription], limit: ShrinkLimit | None, confirmed: int) -> None:
        self._subscriptions = subscriptions
        self._limit = limit
        self._confirmed = confirmed
        self._sizes: dict[str, _Size] = {}
        self.withholding = False
        """True while removals are to be left out of every response."""

    def confirm(self, generation: int) -> None:
        """Lets snapshots up to `generation` take what they will, from the next `judge` on."""
        self._confirmed = generation

    def held(self, subscription: Subscription) -> int:
        """How many names of a guarded type the client holds, for `asked`."""
        return subscription.counts()[0] if self._guards(subscription) else 0

    def asked(self, subscription: Subscription, before: int, now: float) -> None:
        """Takes a request into account, before which the client held `before` names.

        More were claimed, and count. Fewer were given up by the client itself, which nobody needs to guard.
        """
        if self._guards(subscription) and (held := self.held(subscription)) != before:
            size = self._size(subscription, now)
            if held < before:
                size.restart(held, now)
            else:
                size.grow(held)

    def leave(self, subscription: Subscription, now: float) -> None:
        """Remembers the size that the client is leaving, what is on its way included: its table is about to change."""
        if self._limit is not None and self._guards(subscription):
            size = self._size(subscription, now)
            if not self.withholding:
                size.age(now, self._limit.seconds)
            held, wanted = subscription.counts()
            flight = subscription.in_flight.items if subscription.in_flight is not None else {}
            arriving = sum(item is not None and subscription.held(name) is None for name, item in flight.items())
            size.grow(min(held + arriving, wanted))

    def judge(self, generation: int, now: float) -> Withheld | Released | None:
        """Begins or ends withholding, after a snapshot, a request or a confirmation; the event of it, if any."""
        if self._limit is None:
            return None
        guarded = [self._subscriptions[type_url] for type_url in order.GUARDED if type_url in self._subscriptions]
        confirmed = generation <= self._confirmed
        if confirmed:
            for subscription in guarded:
                self._size(subscription, now).restart(min(subscription.counts()), now)
        lost = next((one for one in guarded if self._too_much(one, self._limit, now)), None)
        if lost is not None and not self.withholding:
            self.withholding = True
            for subscription in self._subscriptions.values():
                # Their time limits must not run out meanwhile: released, a cluster still goes after its routes.
                subscription.retiring.clear()
            return Withheld(lost.type_url, len(lost.behind.leaving), lost.counts()[0])
        if lost is None and self.withholding:
            self.withholding = False
            for subscription in self._subscriptions.values():
                for name in (*subscription.behind.leaving, *subscription.doubtful):
                    if name not in subscription.held_back:
                        subscription.reconsider(name)
            return Released(confirmed)
        return None

    def _too_much(self, subscription: Subscription, limit: ShrinkLimit, now: float) -> bool:
        if not subscription.behind.leaving:
            return False
        return limit.exceeded(self._size(subscription, now).largest, subscription.counts()[1])

    def _guards(self, subscription: Subscription) -> bool:
        return self._limit is not None and subscription.type_url in order.GUARDED

    def _size(self, subscription: Subscription, now: float) -> _Size:
        return self._sizes.setdefault(subscription.type_url, _Size(now))


class _Size:
    """The largest size of a moving window, kept as those of its two halves: that costs nothing a size."""

    __slots__ = ("_earlier", "_lately", "_since")

    def __init__(self, now: float) -> None:
        self._earlier = self._lately = 0
        self._since = now

    @property
    def largest(self) -> int:
        return max(self._earlier, self._lately)

    def restart(self, size: int, now: float) -> None:
        self._earlier, self._lately, self._since = 0, size, now

    def grow(self, size: int) -> None:
        self._lately = max(self._lately, size)

    def age(self, now: float, seconds: float) -> None:
        if now - self._since >= seconds:
            self._earlier = self._lately if now - self._since < 2 * seconds else 0
            self._lately, self._since = 0, now
