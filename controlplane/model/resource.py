"""One Envoy resource as translation hands it to the snapshot: already serialised, with what it leans on.

Law: equal inputs give equal bytes, whatever the order of any mapping they came from; the version is made of the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTE: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
SCOPED_ROUTE: Final = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"
VIRTUAL_HOST: Final = "type.googleapis.com/envoy.config.route.v3.VirtualHost"
CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 -- a type, not a secret
EXTENSION_CONFIG: Final = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
RUNTIME: Final = "type.googleapis.com/envoy.service.runtime.v3.Runtime"


@dataclass(frozen=True, slots=True, order=True)
class ResourceName:
    """The type URL and name that make an Envoy resource one and the same."""

    type_url: str
    name: str


@dataclass(frozen=True, slots=True)
class EnvoyResource:
    """One resource: `body` is the serialised message without its Any.

    `references` are the resources Envoy must hold before this one may be used (a route's clusters): they are what
    make-before-break waits for. `children` are resources Envoy expects again whenever this one is sent (an EDS
    cluster's load assignment).
    """

    key: ResourceName
    body: bytes
    references: frozenset[ResourceName] = frozenset()
    children: frozenset[ResourceName] = frozenset()
