"""The one entry to translation: what differs in a topology becomes what differs in Envoy's resources.

In: a `Topology`, the keys to look at, and what is fixed for the life of the control plane. Out: resources to hold and
names to drop. Law: the same topology gives the same bytes; the work follows the keys, not the topology.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from controlplane.model.apiservice import GroupVersion
from controlplane.model.resource import EnvoyResource, ResourceName
from controlplane.model.topology import BackendKey, Topology, Touched
from controlplane.settings.address import Address
from controlplane.translation import clusters, listeners, names, own_clusters, routes, secrets
from controlplane.translation.authorization import authorization_filter
from controlplane.translation.local_door import LocalDoor, local_listener
from controlplane.translation.own_tls import OwnTls
from controlplane.translation.verdicts import verdicts_filter


@dataclass(frozen=True, slots=True)
class Translation:
    """What to change: resources that are now so, and names that are no more. No name is in both."""

    upserts: tuple[EnvoyResource, ...]
    removals: tuple[ResourceName, ...]


@dataclass(frozen=True, slots=True)
class Translator:
    """What is fixed for the life of a control plane: the front door, and where Envoy finds our own faces."""

    door: listeners.FrontDoor | LocalDoor
    authorization: Address
    discovery: Address
    authorization_tls: OwnTls | None = None
    """None: without encryption, as `discovery_tls`."""
    discovery_tls: OwnTls | None = None
    workers: tuple[Address, ...] = ()
    """Who decides about requests instead of `authorization`, which then has the audit log alone."""
    patience: timedelta = timedelta(seconds=5)
    """How long authorization may take.

    A decision from memory takes well under a millisecond, and the rest is for a busy or restarting control plane; more
    is needed only where other servers are asked.
    """
    sole: tuple[GroupVersion, ...] = ()
    """The APIs of a core API server that answers everything itself, discovery included; none: discovery is our own."""

    def fixed(self, topology: Topology) -> Translation:
        """The resources that no registration changes."""
        upserts = [
            *self._entrance(),
            own_clusters.own_cluster(names.DISCOVERY_CLUSTER, (self.discovery,), self.discovery_tls, http2=False),
        ]
        if topology.core is not None and self.sole:
            upserts.append(routes.sole_resource(topology.core, self.sole))
        else:
            upserts.append(routes.core_resource(topology.core))
        if _has_certificate(topology):
            upserts.append(clusters.front_proxy_cluster())
        if topology.core is not None:
            upserts += clusters.core_resources(topology.core, present_certificate=_has_certificate(topology))
        return Translation(tuple(upserts), ())

    def _entrance(self) -> Iterator[EnvoyResource]:
        """The listener, and authorization where there is any."""
        if isinstance(self.door, LocalDoor):
            yield local_listener(self.door)
            return
        keeps = self.door.verdicts is not None
        yield self._authorization_cluster()
        yield authorization_filter(keeps_verdicts=keeps, patience=self.patience, retries=bool(self.workers))
        yield listeners.listener_resource(self.door)
        if self.door.traces is not None:
            yield own_clusters.own_cluster(names.TRACING_CLUSTER, (self.door.traces.endpoint,), None, http2=True)
        if self.door.audited:
            own, tls = (self.authorization,), self.authorization_tls
            yield own_clusters.own_cluster(names.AUDIT_CLUSTER, own, tls, http2=True)

    def _authorization_cluster(self) -> EnvoyResource:
        addresses, tls = self.workers or (self.authorization,), self.authorization_tls
        health_of = names.AUTHORIZATION_SERVICE if self.workers else ""
        return own_clusters.own_cluster(names.AUTHORIZATION_CLUSTER, addresses, tls, http2=True, health_of=health_of)

    def front_door(self, address: str | None, port: int | None) -> EnvoyResource | None:
        """The front door's listener at another address or port, None when neither is given: then `fixed` has it."""
        if (address is None and port is None) or isinstance(self.door, LocalDoor):
            return None
        door = replace(self.door, address=address or self.door.address, port=port or self.door.port)
        return listeners.listener_resource(door)

    def translate(self, topology: Topology, touched: Touched) -> Translation:
        """The resources of everything `touched` names, as `topology` has it."""
        upserts: list[EnvoyResource] = []
        removals: list[ResourceName] = []
        if touched.credentials and topology.credentials is not None:
            upserts += secrets.secret_resources(topology.credentials)
        if touched.policy and isinstance(self.door, listeners.FrontDoor) and self.door.verdicts is not None:
            upserts.append(verdicts_filter(self.door.verdicts, topology.policy.revocations))
        if touched.core and topology.core is not None:
            upserts += clusters.core_resources(topology.core, present_certificate=_has_certificate(topology))
        for key in sorted(touched.backends):
            _backend(topology, key, upserts, removals)
        for group_version in sorted(touched.apis):
            _api(topology, group_version, upserts, removals)
        return Translation(tuple(upserts), tuple(removals))


def everything(topology: Topology) -> Touched:
    """The keys of a whole topology, for the first translation."""
    return Touched(
        apis=frozenset(topology.apis),
        backends=frozenset(topology.backends),
        credentials=topology.credentials is not None,
        policy=True,
    )


def _backend(topology: Topology, key: BackendKey, upserts: list[EnvoyResource], removals: list[ResourceName]) -> None:
    name = names.backend_cluster(key)
    backend = topology.backends.get(key)
    held = clusters.backend_resources(backend, present_certificate=_has_certificate(topology)) if backend else ()
    upserts += held
    kept = {resource.key for resource in held}
    removals += [gone for gone in clusters.backend_names(name) if gone not in kept]


def _api(
    topology: Topology, group_version: GroupVersion, upserts: list[EnvoyResource], removals: list[ResourceName]
) -> None:
    api = topology.apis.get(group_version)
    # A Local APIService has no scope of its own: its requests go to the core API server like any other path.
    if api is None or api.service.service is None:
        removals.append(routes.api_name(group_version))
        return
    upserts.append(routes.api_resource(api, topology.backends.get(api.backend) if api.backend else None))


def _has_certificate(topology: Topology) -> bool:
    return topology.credentials is not None and topology.credentials.front_proxy is not None
