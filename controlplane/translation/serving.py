"""Which of Envoy's resources serve a group-version: the other way from what is wrong in Envoy to whom it harms.

In: an `Api`. Out: the names of the resources its requests need. Law: it names everything that translation makes for
the group-version and all that leans on; what the front door itself needs serves no one API and is never named.
"""

from __future__ import annotations

from typing import Final

from controlplane.model.resource import CLUSTER, SCOPED_ROUTE, SECRET, ResourceName
from controlplane.model.topology import Api
from controlplane.translation import clusters, names, routes

_CORE: Final = (
    ResourceName(SCOPED_ROUTE, names.core_scope()),
    *clusters.backend_names(names.CORE_CLUSTER),
)
_FRONT_PROXY: Final = (
    ResourceName(SECRET, names.FRONT_PROXY_SECRET),
    ResourceName(CLUSTER, names.FRONT_PROXY_CLUSTER),
)
_SYSTEM_ROOTS: Final = ResourceName(SECRET, names.SYSTEM_ROOTS_SECRET)


def resources(api: Api) -> tuple[ResourceName, ...]:
    """The resources that serve a group-version: its scope, its backend's cluster and what that is verified with.

    A Local one is served by the core API server's. Some of what is named may not exist, a load assignment where the
    backend is found by DNS for one.
    """
    if api.service.service is None:
        return _CORE
    scope = routes.api_name(api.service.group_version)
    if api.backend is None:
        return (scope,)
    backend = clusters.backend_names(names.backend_cluster(api.backend))
    roots = (_SYSTEM_ROOTS,) if api.backend.trust == "system" else ()
    return (scope, *backend, *_FRONT_PROXY, *roots)
