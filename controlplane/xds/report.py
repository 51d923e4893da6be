"""The state of each proxy: in step, behind, or without something that was rejected.

In: how far every stream is, the latest snapshot, the quarantine. Out: `Proxy` values, sorted. Law: a rejection counts
as long as the snapshot still wants what was rejected; a change or a removal ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.model.proxy import Proxy, ProxyState, ProxyType, RejectedResource
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.event import Rejected
from controlplane.xds.quarantine import Rejection
from controlplane.xds.request import Node
from controlplane.xds.status import ProxyStatus, TypeStatus

_Reasons = Mapping[str, Mapping[str, RejectedResource]]
"""Type URL and name to what is withheld from every proxy."""

_WORST_FIRST = (ProxyState.REJECTED, ProxyState.STALE, ProxyState.SYNCED)


def proxies(statuses: Iterable[ProxyStatus], snapshot: Snapshot, rejections: Iterable[Rejection]) -> tuple[Proxy, ...]:
    """Every stream whose client has said who it is, by node id, then in the order in which they were opened."""
    withheld = _wanted(rejections, snapshot)
    found = [_proxy(status, status.node, snapshot, withheld) for status in statuses if status.node is not None]
    return tuple(sorted(found, key=lambda proxy: (proxy.node_id, proxy.connected_at, proxy.peer)))


def _proxy(status: ProxyStatus, node: Node, snapshot: Snapshot, withheld: _Reasons) -> Proxy:
    types = tuple(_type(kind, snapshot, withheld.get(kind.type_url, {})) for kind in status.types)
    states = {kind.state for kind in types}
    return Proxy(
        node_id=node.id,
        cluster=node.cluster,
        version=node.version,
        peer=status.peer,
        protocol=status.protocol,
        connected_at=status.connected_at,
        offered_generation=status.offered_generation,
        acked_generation=status.acked_generation,
        state=next((state for state in _WORST_FIRST if state in states), ProxyState.SYNCED),
        types=types,
    )


def _type(status: TypeStatus, snapshot: Snapshot, withheld: Mapping[str, RejectedResource]) -> ProxyType:
    rejected = dict(_wanted(status.rejected, snapshot).get(status.type_url, {}))
    if status.behind > len(rejected):
        # It lacks more than it rejected by itself: what another proxy rejected is not sent to this one either.
        rejected = {**withheld, **rejected}
    return ProxyType(
        type_url=status.type_url,
        state=_state(status, rejected),
        wildcard=status.wildcard,
        names=status.names,
        behind=status.behind,
        sent_nonce=status.sent_nonce,
        sent_at=status.sent_at,
        acked_nonce=status.acked_nonce,
        acked_at=status.acked_at,
        error=status.error,
        rejected=tuple(rejected[name] for name in sorted(rejected)),
    )


def _state(status: TypeStatus, rejected: Mapping[str, RejectedResource]) -> ProxyState:
    if rejected:
        return ProxyState.REJECTED
    # With an error the last response was answered, though not acknowledged: it is what is behind that counts.
    unanswered = status.sent_nonce != status.acked_nonce and not status.error
    return ProxyState.STALE if unanswered or status.behind else ProxyState.SYNCED


def _wanted(rejections: Iterable[Rejection | Rejected], snapshot: Snapshot) -> _Reasons:
    """The rejections of exactly what the snapshot holds."""
    found: dict[str, dict[str, RejectedResource]] = {}
    for rejection in rejections:
        wanted = snapshot.get(rejection.key)
        if wanted is not None and wanted.version == rejection.version:
            found.setdefault(rejection.key.type_url, {})[rejection.key.name] = RejectedResource(
                rejection.key.name, rejection.version, rejection.reason
            )
    return found
