"""What one client holds of one type, as a whole and resource by resource.

In: a client's subscription and record, the quarantine. Out: values for status. Law: what is told is of the moment in
which it is asked for, and only of names that the client subscribes to; the whole costs what is out of step, never the
size of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from controlplane.model.proxy import ProxyResource, RejectedResource, ResourceState
from controlplane.xds import order
from controlplane.xds.held import version_of
from controlplane.xds.quarantine import Quarantine
from controlplane.xds.status import Progress, TypeStatus
from controlplane.xds.subscription import Subscription


def type_status(
    subscription: Subscription, progress: Progress, quarantine: Quarantine, *, withholding: bool
) -> TypeStatus:
    """One type on one stream; `withholding` says that its guard withholds removals."""
    return TypeStatus(
        type_url=subscription.type_url,
        wildcard=subscription.wildcard,
        names=len(subscription.names),
        behind=len(subscription.behind),
        sent_nonce=progress.sent_nonce,
        sent_at=progress.sent_at,
        acked_nonce=progress.acked_nonce,
        acked_at=progress.acked_at,
        error=progress.error,
        rejected=tuple(_rejected(subscription, progress, quarantine)),
        withheld=withheld(subscription) if withholding else 0,
        total=_total(subscription),
        resources=partial(resources, subscription, progress, quarantine),
    )


def withheld(subscription: Subscription) -> int:
    """How many names the client holds and would lose if removals were not withheld."""
    return 0 if subscription.type_url in order.NEVER_REMOVED else len(subscription.behind.leaving)


def resources(subscription: Subscription, progress: Progress, quarantine: Quarantine) -> Iterator[ProxyResource]:
    """Every resource that the client holds or subscribes to, those that are out of step before all others."""
    table, behind = subscription.table, subscription.behind
    sent = subscription.in_flight.items if subscription.in_flight is not None else {}
    for name, held in behind.items():
        wanted, holds = version_of(table.get(name)) or "", version_of(held) or ""
        reason, at = _rejection(subscription, progress, quarantine, name)
        if reason is not None:
            yield ProxyResource(name, holds, wanted, ResourceState.REJECTED, reason, at)
        else:
            fresh = held is None and name not in sent
            yield ProxyResource(name, holds, wanted, ResourceState.NOT_SENT if fresh else ResourceState.STALE)
    missing = {name for name in subscription.names if name not in table}
    for name in (*(table if subscription.wildcard else sorted(subscription.names - missing)), *sorted(missing)):
        if name not in behind:
            version = "" if name in missing else table[name].version
            yield ProxyResource(name, version, version, ResourceState.SYNCED if version else ResourceState.NOT_SENT)


def _rejected(subscription: Subscription, progress: Progress, quarantine: Quarantine) -> Iterator[RejectedResource]:
    # What waits for a good successor was held back, unless it is on its way to being looked at.
    for name in sorted({*progress.rejected, *subscription.held_back}):
        reason, _ = _rejection(subscription, progress, quarantine, name)
        if reason is not None:
            yield RejectedResource(name, subscription.table[name].version, reason)


def _rejection(
    subscription: Subscription, progress: Progress, quarantine: Quarantine, name: str
) -> tuple[str | None, float | None]:
    """Why the client does not get `name` as the table says, and when it rejected that itself; None for no rejection."""
    listed = subscription.table.get(name)
    if listed is None or name not in subscription.behind:
        return None, None
    own = progress.rejected.get(name)
    if own is not None and own[0].version == listed.version:
        return own[0].reason, own[1]
    found = quarantine.find(listed)
    return (None, None) if found is None else (found.reason, None)


def _total(subscription: Subscription) -> int:
    """About how many `resources` there are; names that do not exist are left out where everything is asked for."""
    if not subscription.wildcard:
        return len(subscription.names)
    return len(subscription.table) + len(subscription.behind.leaving)
