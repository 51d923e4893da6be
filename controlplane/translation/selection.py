"""Which route Envoy takes for a path, read from the very resources that it is given.

In: a request target, and scoped route configurations by name. Out: the target as Envoy normalises it, and the route.
Law: nothing is known here of what a route is for; order and conditions are those of the resource, and what Envoy's
filters do about a request without a route is what `envoy/lua/scope.lua` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from envoy.config.route.v3 import route_components_pb2, scoped_route_pb2

from controlplane.model.apiservice import GroupVersion
from controlplane.translation import names

_ESCAPED_SLASH: Final = re.compile(r"%(?:2[Ff]|5[Cc])")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]")
_SLASHES: Final = re.compile(r"/{2,}")
_DOCUMENT: Final = re.compile(r"/openapi/v3(/apis/[^/]+/[^/]+)")


@dataclass(frozen=True, slots=True)
class Selected:
    """A route, in its scope; without a `cluster` Envoy answers by itself, with `status` and `message`."""

    scope: str
    name: str
    cluster: str = ""
    status: int = 0
    message: str = ""
    seconds: float = 0.0
    """For how long the request may take; 0: without an end."""
    retry_on: str = ""
    retries: int = 0


def normalised(target: str) -> str | None:
    """The target as everything behind Envoy's connection manager sees it; None: the connection manager refuses it.

    RFC 3986, section 6.2.2: unreserved characters without escapes, no dot segments; then no empty segments. An escaped
    slash or backslash, and a fragment, are refused.
    """
    path, mark, query = target.partition("?")
    if "#" in target or _ESCAPED_SLASH.search(path):
        return None
    if not path.startswith("/"):
        return target
    path = _ESCAPE.sub(_unescaped, path).replace("\\", "/")
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in (["."], [".."]):
        kept.append("")
    return _SLASHES.sub("/", "/" + "/".join(kept)) + mark + query


def group_version_of(path: str) -> GroupVersion | None:
    """The group-version that a path is about, by its first segments; None when it is about none."""
    document = _DOCUMENT.fullmatch(path)
    parts = (document[1] if document else path).split("/")
    if parts[1] == "apis" and len(parts) > 3 and parts[3]:
        return GroupVersion(parts[2], parts[3])
    return GroupVersion("", parts[2]) if parts[1] == "api" and len(parts) > 2 and parts[2] else None


def select(target: str, resource_of: Callable[[str], bytes | None]) -> Selected | None:
    """The route of a normalised target; `resource_of` gives the scoped route configuration of a name, serialised.

    None when not even the scope of everything unregistered is there.
    """
    path = target.partition("?")[0]
    document = _DOCUMENT.fullmatch(path)
    for routed in (path, *((document[1],) if document else ())):
        parts = routed.split("/")
        if len(parts) > 3 and (found := _in_scope(GroupVersion(parts[2], parts[3]), path, resource_of)):
            return found
    return _first(names.core_scope(), path, resource_of)


def _in_scope(key: GroupVersion, path: str, resource_of: Callable[[str], bytes | None]) -> Selected | None:
    return _first(names.scope(key), path, resource_of)


def _first(name: str, path: str, resource_of: Callable[[str], bytes | None]) -> Selected | None:
    body = resource_of(name)
    if body is None:
        return None
    scope = scoped_route_pb2.ScopedRouteConfiguration.FromString(body)
    routes = (route for host in scope.route_configuration.virtual_hosts for route in host.routes)
    return next((_selected(name, route) for route in routes if _fits(route.match, path)), None)


def _fits(match: route_components_pb2.RouteMatch, path: str) -> bool:
    match match.WhichOneof("path_specifier"):
        case "path":
            return bool(path == match.path)
        case "path_separated_prefix":
            return path == match.path_separated_prefix or path.startswith(f"{match.path_separated_prefix}/")
        case "prefix":
            return path.startswith(match.prefix)
        case "safe_regex":
            return re.fullmatch(match.safe_regex.regex, path) is not None
    return False


def _selected(scope: str, route: route_components_pb2.Route) -> Selected:
    if route.HasField("direct_response"):
        reply = route.direct_response
        return Selected(scope, route.name, status=reply.status, message=reply.body.inline_string)
    action = route.route
    retried = action.retry_policy
    return Selected(
        scope,
        route.name,
        cluster=action.cluster,
        seconds=action.timeout.ToTimedelta().total_seconds(),
        retry_on=retried.retry_on,
        retries=retried.num_retries.value if retried.HasField("num_retries") else 0,
    )


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]
