"""Group-versions as scoped route configurations, one each, and the scope of everything unregistered.

In: an `Api`, or whether there is a core API server. Out: the SRDS resource with its routes inline. Law: one APIService
is one resource whatever else is registered (docs/design/0003-scoped-routes.md), every route has a name, and what is
unavailable answers 503 by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2, scoped_route_pb2
from envoy.type.matcher.v3 import regex_pb2
from google.protobuf import duration_pb2

from controlplane.model.apiservice import GroupVersion
from controlplane.model.resource import CLUSTER, SCOPED_ROUTE, EnvoyResource, ResourceName
from controlplane.model.topology import Api, Backend
from controlplane.translation import names
from controlplane.translation.redirects import LOCATION

# Which pages of other origins may read an answer is not for a backend to say; kube-aggregator removes these, too.
_CROSS_ORIGIN: Final = tuple(f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin"))
# kube-aggregator's cap on /apis/<group>/<version>: discovery must not hang on one slow backend (handler_proxy.go).
_DISCOVERY_SECONDS: Final = 5

# Served by the control plane itself: what all APIs have in common.
_DISCOVERY_PATHS: Final = ("/", "/api", "/api/", "/apis", "/apis/", "/openapi/v3", "/version")
_GROUP_DISCOVERY: Final = "/apis/[^/]+/?"
# What is below a group-version; shorter paths are discovery.
_OTHER_APIS: Final = "/apis/[^/]+/[^/]+(/.*)?|/api/[^/]+(/.*)?"
_HEALTH_PATHS: Final = ("/healthz", "/livez", "/readyz")

# Local replies become Status objects in the listener's local_reply_config; these are their messages.
_UNAVAILABLE: Final = "service unavailable"
_NOT_FOUND: Final = "the server could not find the requested resource"


def api_resource(api: Api, backend: Backend | None) -> EnvoyResource:
    """The scope of a registered group-version; `backend` None or an unavailable condition makes it answer 503."""
    group_version = api.service.group_version
    scope = _scope(names.scope(group_version), group_version.group, group_version.version)
    routes = scope.route_configuration.virtual_hosts[0].routes
    documents = route_components_pb2.RouteMatch(path=f"/openapi/v3/apis/{group_version}")
    everything = route_components_pb2.RouteMatch(path_separated_prefix=group_version.path)
    if backend is None or not api.condition.available:
        routes.append(_reply("unavailable", everything, 503, _UNAVAILABLE))
        routes.append(_reply("unavailable-openapi", documents, 503, _UNAVAILABLE))
        return _resource(scope)
    # A redirect without its Location is refused by `redirects`.
    scope.route_configuration.response_headers_to_remove.extend((LOCATION, *_CROSS_ORIGIN))
    cluster = names.backend_cluster(backend.key)
    exact = route_components_pb2.RouteMatch(path=group_version.path)
    routes.append(_proxy("discovery", exact, cluster, backend.server_name, seconds=_DISCOVERY_SECONDS))
    routes.append(_proxy("api", everything, cluster, backend.server_name))
    routes.append(_proxy("openapi", documents, cluster, backend.server_name))
    return _resource(scope, cluster)


def api_name(group_version: GroupVersion) -> ResourceName:
    """What to remove when the group-version is gone."""
    return ResourceName(SCOPED_ROUTE, names.scope(group_version))


def core_resource(core: Backend | None) -> EnvoyResource:
    """The scope of everything unregistered: discovery, health, then the core API server or a 404."""
    scope = _scope(names.core_scope(), *names.CORE_SCOPE)
    routes = scope.route_configuration.virtual_hosts[0].routes
    # With a core API server its health is the health of the whole, and it has more to say about it (/readyz?verbose).
    for path in (*_DISCOVERY_PATHS, *(() if core else _HEALTH_PATHS)):
        match = route_components_pb2.RouteMatch(path=path)
        routes.append(_own(f"isthmus{path}", match))
    group = route_components_pb2.RouteMatch(safe_regex=regex_pb2.RegexMatcher(regex=_GROUP_DISCOVERY))
    routes.append(_own("isthmus/apis/group", group))
    rest = route_components_pb2.RouteMatch(prefix="/")
    if core is None:
        routes.append(_reply("not-found", rest, 404, _NOT_FOUND))
        return _resource(scope, names.DISCOVERY_CLUSTER)
    routes.append(_proxy("core", rest, names.CORE_CLUSTER, core.server_name))
    return _resource(scope, names.DISCOVERY_CLUSTER, names.CORE_CLUSTER)


def sole_resource(core: Backend, group_versions: Iterable[GroupVersion]) -> EnvoyResource:
    """The scope of everything, for a server that answers everything itself: its discovery, health, and these APIs."""
    scope = _scope(names.core_scope(), *names.CORE_SCOPE)
    routes = scope.route_configuration.virtual_hosts[0].routes
    scope.route_configuration.response_headers_to_remove.append(LOCATION)
    for group_version in group_versions:
        match = route_components_pb2.RouteMatch(path_separated_prefix=group_version.path)
        routes.append(_proxy(f"api/{group_version}", match, names.CORE_CLUSTER, core.server_name))
    others = route_components_pb2.RouteMatch(safe_regex=regex_pb2.RegexMatcher(regex=_OTHER_APIS))
    routes.append(_reply("not-found", others, 404, _NOT_FOUND))
    rest = route_components_pb2.RouteMatch(prefix="/")
    routes.append(_proxy("server", rest, names.CORE_CLUSTER, core.server_name))
    return _resource(scope, names.CORE_CLUSTER)


def _scope(name: str, group: str, version: str) -> scoped_route_pb2.ScopedRouteConfiguration:
    scope = scoped_route_pb2.ScopedRouteConfiguration(name=name)
    for element in (group, version):
        scope.key.fragments.add(string_key=element)
    configuration = route_pb2.RouteConfiguration(name=name)
    configuration.virtual_hosts.add(name="all", domains=["*"])
    # A cluster that comes late must not make the route a bad one: until then it is answered 503.
    configuration.validate_clusters.value = False
    scope.route_configuration.CopyFrom(configuration)
    return scope


def _proxy(
    name: str, match: route_components_pb2.RouteMatch, cluster: str, host: str, *, seconds: int = 0
) -> route_components_pb2.Route:
    """A route to a backend; without `seconds` it is never cut, since watches and other streams have no end."""
    action = route_components_pb2.RouteAction(
        cluster=cluster,
        host_rewrite_literal=host,
        timeout=duration_pb2.Duration(seconds=seconds),
        idle_timeout=duration_pb2.Duration(seconds=0),
    )
    # Only failures from before the backend saw the request: nothing is ever done twice.
    action.retry_policy.retry_on = "connect-failure,refused-stream,reset-before-request"
    action.retry_policy.num_retries.value = 2
    return route_components_pb2.Route(name=name, match=match, route=action)


def _own(name: str, match: route_components_pb2.RouteMatch) -> route_components_pb2.Route:
    action = route_components_pb2.RouteAction(
        cluster=names.DISCOVERY_CLUSTER, timeout=duration_pb2.Duration(seconds=2 * _DISCOVERY_SECONDS)
    )
    # kube-apiserver does not say what it is written in.
    return route_components_pb2.Route(name=name, match=match, route=action, response_headers_to_remove=["server"])


def _reply(name: str, match: route_components_pb2.RouteMatch, status: int, message: str) -> route_components_pb2.Route:
    reply = route_components_pb2.DirectResponseAction(status=status, body=base_pb2.DataSource(inline_string=message))
    return route_components_pb2.Route(name=name, match=match, direct_response=reply)


def _resource(scope: scoped_route_pb2.ScopedRouteConfiguration, *clusters: str) -> EnvoyResource:
    references = frozenset(ResourceName(CLUSTER, cluster) for cluster in clusters)
    key = ResourceName(SCOPED_ROUTE, scope.name)
    return EnvoyResource(key, scope.SerializeToString(deterministic=True), references)
