"""What the resources that a client holds still lean on.

In: the client's subscriptions. Out: which removals would break what it holds. Law: only resources out of step can
lean on something that is to be removed, because a snapshot is consistent in itself; so this costs what is out of
step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from controlplane.model.resource import ResourceName
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.held import Claim
from controlplane.xds.subscription import Subscription


@dataclass(frozen=True, slots=True)
class Leaning:
    """`firm` is leaned on by resources that stay for want of a good successor, `passing` by such as are being replaced.

    `unknown` is True while the client holds something whose content is not known here.
    """

    firm: frozenset[ResourceName]
    passing: frozenset[ResourceName]
    unknown: bool

    @classmethod
    def of(cls, subscriptions: Iterable[Subscription]) -> Leaning:
        """What all these subscriptions of one client lean on."""
        firm: set[ResourceName] = set()
        passing: set[ResourceName] = set()
        unknown = False
        for subscription in subscriptions:
            for name, held in subscription.behind.items():
                if isinstance(held, Resource):
                    leans = firm if name in subscription.held_back else passing
                    leans |= held.references | held.children
                elif isinstance(held, Claim):
                    unknown = unknown or name not in subscription.retiring
            sent = subscription.in_flight.items.values() if subscription.in_flight is not None else ()
            for item in chain(sent, *subscription.doubtful.values()):
                if item is not None:
                    passing |= item.references | item.children
        return cls(frozenset(firm), frozenset(passing), unknown)

    def holds_up(self, key: ResourceName) -> bool:
        """True when removing `key` now could break something that the client holds."""
        return self.unknown or key in self.firm or key in self.passing
