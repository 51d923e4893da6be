"""What Envoy's own messages lean on, read from their bytes where nobody has said it.

In: a type URL and a serialised message. Out: the clusters that routes refer to, the load assignment that a cluster has.
Law: it decides when something is sent, never what; bytes that are no such message lean on nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.route.v3.route_components_pb2 import RouteAction, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from google.protobuf.message import DecodeError

from controlplane.model.resource import CLUSTER, ENDPOINTS, ROUTE, SCOPED_ROUTE, VIRTUAL_HOST, ResourceName

Names: TypeAlias = frozenset[ResourceName]

_NOTHING: Final[Names] = frozenset()


def links(type_url: str, body: bytes) -> tuple[Names, Names]:
    """What a message refers to, and what is to be sent again behind it: `references` and `children` of a resource."""
    try:
        if type_url == CLUSTER:
            return _NOTHING, _assignment(Cluster.FromString(body))
        return frozenset(ResourceName(CLUSTER, name) for name in _clusters(_hosts(type_url, body)) if name), _NOTHING
    except DecodeError:
        return _NOTHING, _NOTHING


def _assignment(cluster: Cluster) -> Names:
    if cluster.type != Cluster.EDS:
        return _NOTHING
    return frozenset((ResourceName(ENDPOINTS, cluster.eds_cluster_config.service_name or cluster.name),))


def _hosts(type_url: str, body: bytes) -> Sequence[VirtualHost]:
    if type_url == ROUTE:
        return tuple(RouteConfiguration.FromString(body).virtual_hosts)
    if type_url == SCOPED_ROUTE:
        return tuple(ScopedRouteConfiguration.FromString(body).route_configuration.virtual_hosts)
    return (VirtualHost.FromString(body),) if type_url == VIRTUAL_HOST else ()


def _clusters(hosts: Iterable[VirtualHost]) -> Iterator[str]:
    for host in hosts:
        yield from (policy.cluster for policy in host.request_mirror_policies)
        for route in host.routes:
            yield from _targets(route.route)


def _targets(action: RouteAction) -> Iterator[str]:
    yield action.cluster
    yield from (weighted.name for weighted in action.weighted_clusters.clusters)
    yield from (policy.cluster for policy in action.request_mirror_policies)
