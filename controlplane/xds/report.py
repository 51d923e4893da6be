"""The state of each proxy: in step, behind, or without something that was rejected.

In: how far every stream is. Out: `Proxy` values, sorted. Law: the worst is told: a rejection before everything that is
behind, and what is behind before what is in step.
"""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.model.proxy import Proxy, ProxyState, ProxyType
from controlplane.xds.request import Node
from controlplane.xds.status import ProxyStatus, TypeStatus

_WORST_FIRST = (ProxyState.REJECTED, ProxyState.STALE, ProxyState.SYNCED)


def proxies(statuses: Iterable[ProxyStatus]) -> tuple[Proxy, ...]:
    """Every stream whose client has said who it is, by node id, then in the order in which they were opened."""
    found = [_proxy(status, status.node) for status in statuses if status.node is not None]
    return tuple(sorted(found, key=lambda proxy: (proxy.node_id, proxy.connected_at, proxy.peer)))


def _proxy(status: ProxyStatus, node: Node) -> Proxy:
    types = tuple(_type(kind) for kind in status.types)
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
        group=status.group,
    )


def _type(status: TypeStatus) -> ProxyType:
    return ProxyType(
        type_url=status.type_url,
        state=_state(status),
        wildcard=status.wildcard,
        names=status.names,
        behind=status.behind,
        sent_nonce=status.sent_nonce,
        sent_at=status.sent_at,
        acked_nonce=status.acked_nonce,
        acked_at=status.acked_at,
        error=status.error,
        rejected=status.rejected,
        withheld=status.withheld,
        total=status.total,
        resources=status.resources,
    )


def _state(status: TypeStatus) -> ProxyState:
    if status.rejected:
        return ProxyState.REJECTED
    # With an error the last response was answered, though not acknowledged: it is what is behind that counts.
    unanswered = status.sent_nonce != status.acked_nonce and not status.error
    return ProxyState.STALE if unanswered or status.behind else ProxyState.SYNCED
