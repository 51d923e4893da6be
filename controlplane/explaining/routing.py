"""Where a request goes, told from the topology and from what Envoy is given.

In: a normalised target, a topology and a snapshot. Out: route, destination, and which proxies hold both. Law: what is
told of Envoy is read from the resources of the snapshot, byte for byte what Envoy gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from controlplane.explaining.judging import OriginOf
from controlplane.model.change import ObjectKey
from controlplane.model.explanation import Destination, Holding, Named, Registration, Route
from controlplane.model.proxy import Proxy, ProxyState, ProxyType, ResourceState
from controlplane.model.resource import CLUSTER, ENDPOINTS, SCOPED_ROUTE, ResourceName
from controlplane.model.topology import Topology
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation import names
from controlplane.translation.destination import destination
from controlplane.translation.selection import Selected, group_version_of, select

# A proxy that has just connected lacks ten thousand names; to look through them for each proxy would hold up requests.
_LOOKED_AT_MOST: Final = 20_000
_KINDS: Final = {names.CORE_CLUSTER: "core", names.DISCOVERY_CLUSTER: "discovery", "": "reply"}
_WORST_FIRST: Final = (ResourceState.REJECTED, ResourceState.NOT_SENT, ResourceState.STALE)


@dataclass(frozen=True, slots=True)
class Routed:
    """The route of a request, None when there is none yet; and what Envoy must hold for it."""

    route: Route | None
    destination: Destination | None
    needs: tuple[ResourceName, ...]


def routed(
    target: str, topology: Topology, snapshot: Snapshot, origin_of: OriginOf, *, upgrade: str, group: str
) -> Routed:
    """Where a request with the normalised `target` goes; `upgrade` is the protocol it wants, `group` the node group."""

    def body(type_url: str, name: str) -> bytes | None:
        resource = snapshot.get(ResourceName(type_url, name))
        return None if resource is None else resource.body

    selected = select(target, lambda name: body(SCOPED_ROUTE, name))
    if selected is None:
        return Routed(None, None, ())
    route = Route(
        kind=_KINDS.get(selected.cluster, "api"),
        scope=selected.scope,
        name=selected.name,
        cluster=selected.cluster,
        status=selected.status,
        message=selected.message,
        api_service=_registration(target, topology, origin_of),
        timeout_seconds=selected.seconds,
        retry_on=selected.retry_on,
        retries=selected.retries,
        upgrade=upgrade,
        node_group=group,
    )
    cluster = body(CLUSTER, selected.cluster)
    place = None if cluster is None else destination(cluster, body(ENDPOINTS, selected.cluster))
    return Routed(route, place, tuple(_needs(selected, snapshot)))


def holdings(proxies: Iterable[Proxy], needs: tuple[ResourceName, ...], group: str) -> tuple[Holding, ...]:
    """Whether the proxies of a node group hold what is needed."""
    budget = _LOOKED_AT_MOST
    told: list[Holding] = []
    for proxy in proxies:
        if proxy.group != group:
            continue
        kinds = {kind.type_url: kind for kind in proxy.types}
        budget -= sum(kinds[url].behind for url in {key.type_url for key in needs} & kinds.keys())
        if budget < 0:
            reason = "it is too far behind to be looked through; `isthmus proxies` says how far"
            told.append(Holding(proxy.node_id, proxy.group, ProxyState.STALE.value, (reason,)))
        else:
            told.append(_holding(proxy, kinds, needs))
    return tuple(told)


def _holding(proxy: Proxy, kinds: dict[str, ProxyType], needs: tuple[ResourceName, ...]) -> Holding:
    found: list[tuple[ResourceState, str]] = []
    for type_url in dict.fromkeys(key.type_url for key in needs):
        wanted = {key.name for key in needs if key.type_url == type_url}
        what = type_url.rpartition(".")[2]
        kind = kinds.get(type_url)
        if kind is None:
            found += [(ResourceState.NOT_SENT, f"{what} {name} is not subscribed to") for name in sorted(wanted)]
            continue
        for resource in islice(kind.resources(), kind.behind):
            if resource.name in wanted:
                reason = f"{what} {resource.name} is {resource.state.value}"
                found.append((resource.state, f"{reason}: {resource.reason}" if resource.reason else reason))
    states = {state for state, _ in found}
    worst = next((state for state in _WORST_FIRST if state in states), ResourceState.SYNCED)
    return Holding(proxy.node_id, proxy.group, worst.value, tuple(reason for _, reason in found))


def _needs(selected: Selected, snapshot: Snapshot) -> Iterator[ResourceName]:
    yield ResourceName(SCOPED_ROUTE, selected.scope)
    for key in (ResourceName(CLUSTER, selected.cluster), ResourceName(ENDPOINTS, selected.cluster)):
        if snapshot.get(key) is not None:
            yield key


def _registration(target: str, topology: Topology, origin_of: OriginOf) -> Registration | None:
    group_version = group_version_of(target.partition("?")[0])
    api = topology.apis.get(group_version) if group_version is not None else None
    if api is None:
        return None
    origin = origin_of(ObjectKey("APIService", "", api.service.name))
    place = api.service.service
    return Registration(
        Named("APIService", "", api.service.name, "" if origin is None else str(origin)),
        "Local" if place is None else f"{place.namespace}/{place.name}:{place.port}",
        api.condition.status.value,
        api.condition.reason,
        api.condition.message,
    )
