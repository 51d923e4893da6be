"""Every name that Isthmus gives in Envoy, and what makes it unique.

In: model keys. Out: names. Law: a name contains every field that makes the thing it names one and the same, and two
different things never share one; names say nothing secret.
"""

from __future__ import annotations

from typing import Final

from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import BackendKey

XDS_CLUSTER: Final = "isthmus/xds"
AUTHORIZATION_CLUSTER: Final = "isthmus/authorization"
TRACING_CLUSTER: Final = "isthmus/tracing"
DISCOVERY_CLUSTER: Final = "isthmus/discovery"
AUDIT_CLUSTER: Final = "isthmus/audit"
CORE_CLUSTER: Final = "isthmus/core"
FRONT_PROXY_CLUSTER: Final = "isthmus/front-proxy"
"""Has no endpoints and no requests; see `clusters.front_proxy_cluster`."""

AUTHORIZATION_SERVICE: Final = "envoy.service.auth.v3.Authorization"
"""The gRPC service whose health Envoy asks for."""

LISTENER: Final = "front-door"
SCOPED_ROUTES: Final = "front-door"
AUTHORIZATION_FILTER: Final = "isthmus.authorization"
VERDICTS_FILTER: Final = "isthmus.verdicts"

SERVING_SECRET: Final = "serving"  # noqa: S105 -- a name, not a secret
CLIENT_CA_SECRET: Final = "client-ca"  # noqa: S105
FRONT_PROXY_SECRET: Final = "front-proxy"  # noqa: S105
BEARER_TOKEN_SECRET: Final = "bearer-token"  # noqa: S105
SYSTEM_ROOTS_SECRET: Final = "system-roots"  # noqa: S105

ROUTE_HEADER: Final = "x-isthmus-route"
"""Carries the path whose elements 2 and 3 select the scope; overwritten on arrival, removed before the backend."""

ALPN_HEADER: Final = "x-isthmus-alpn"
"""Set by us to "http/1.1" for upgrades, which HTTP/2 backends of the Go kind cannot do; removed before the backend."""

VERDICTS_HEADER: Final = "x-isthmus-verdicts"
"""Tells the verdict cache which verdicts still hold; written by us on every request, removed before the backend."""

KNOWN_VERDICT: Final = "known"
"""What the verdict cache writes over it when the request was allowed before and carries that identity already."""

IMPERSONATION_PREFIX: Final = "impersonate"
"""What the names of all headers that ask to act as somebody else begin with."""

CORE_SCOPE: Final = ("isthmus-core", "-")
"""The scope key of everything unregistered. No group can be called so: a group version is a DNS label, "-" is none."""

TLS_METADATA: Final = "isthmus.tls"
"""Dynamic metadata namespace: what Envoy's verification of the client certificate came to."""

REQUEST_HEADER_METADATA: Final = "isthmus.request_headers"
"""Dynamic metadata namespace: the header lines in which a front proxy says who asks."""


def backend_cluster(key: BackendKey) -> str:
    """The cluster of a backend: Service, port and trust, since connections may be shared only where all are equal."""
    service = key.service
    return f"backend/{service.namespace}/{service.name}/{service.port}/{key.trust[:32]}"


def scope(group_version: GroupVersion) -> str:
    """The scoped route configuration of a group-version.

    Envoy copies the names of all scopes at each change, those of up to 22 bytes without asking for memory: at 10,000 it
    is 2 ms for a change of longer ones. So nothing stands before what an APIService is known by.
    """
    return f"{group_version.group}/{group_version.version}"


def core_scope() -> str:
    """The scoped route configuration of everything unregistered."""
    return "core"
