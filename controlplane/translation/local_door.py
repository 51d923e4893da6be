"""The local endpoint beside a client: a listener without TLS, and nobody is asked who it is.

In: where to listen, the Lua sources, whether there is a token to show. Out: the LDS resource. Law: only this machine
reaches it, and what a client says of itself goes no further: what API servers see is the sidecar's own credential.

    early header mutation   forged X-Remote-*, X-Isthmus-* and X-Envoy-* go, as at every front door
    rbac                    refuses other host names: no web page can have a browser ask here; not on a Unix socket
    local.lua               gives a route to what has no scope of its own (with scope.lua)
    custom_response         refuses to pass on a backend's redirect
    set_filter_state        an upgrade takes an HTTP/1.1 connection to the backend
    header_mutation         Authorization, Envoy's and our own headers go; whether the credential may impersonate is for
                            the API server to say
    credential_injector     writes the token; only where there is one
    router
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core.v3 import Address as EnvoyAddress
from envoy_data_plane.envoy.config.core.v3 import Pipe, SocketAddress, TypedExtensionConfig
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, Rbac, RbacAction
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.credential_injector.v3 import CredentialInjector
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerForwardClientCertDetails,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerServerHeaderTransformation,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
)
from envoy_data_plane.envoy.extensions.http.injected_credentials.generic.v3 import Generic
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import SdsSecretConfig
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from controlplane.model.resource import LISTENER, SECRET, EnvoyResource, ResourceName
from controlplane.settings.address import Address
from controlplane.translation import names
from controlplane.translation.filters import (
    ads,
    alpn_filter,
    any_of,
    early_header_mutation,
    lua_filter,
    router_filter,
    strip_filter,
)
from controlplane.translation.listeners import local_replies, scoped_routes
from controlplane.translation.protocols import HEADERS_KIB, common_options, http2_options
from controlplane.translation.redirects import redirects_filter

_FETCH_TIMEOUT: Final = timedelta(seconds=5)
_LOCAL_HOSTS: Final = r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"
_REFUSED: Final = (403, "Forbidden", "this endpoint answers to localhost, 127.0.0.1 and [::1], and to no other host")


@dataclass(frozen=True, slots=True)
class LocalDoor:
    """What the listener depends on, all of it fixed for the life of a control plane."""

    listen: Address
    """A loopback address or a Unix socket."""
    scope_script: str
    script: str
    shows_token: bool
    """Whether API servers are shown a bearer token."""


def local_listener(door: LocalDoor) -> EnvoyResource:
    """The endpoint's listener."""
    manager = Filter(name="envoy.filters.network.http_connection_manager", typed_config=any_of(_manager(door)))
    if door.listen.path:
        # Whoever may connect acts with the credential, so others than the owner and their group may not.
        address = EnvoyAddress(pipe=Pipe(path=door.listen.path, mode=0o660))
    else:
        address = EnvoyAddress(socket_address=SocketAddress(address=door.listen.host, port_value=door.listen.port))
    listener = Listener(
        name=names.LISTENER,
        address=address,
        filter_chains=[FilterChain(filters=[manager])],
        per_connection_buffer_limit_bytes=1 << 20,
    )
    references = (ResourceName(SECRET, names.BEARER_TOKEN_SECRET),) if door.shows_token else ()
    return EnvoyResource(ResourceName(LISTENER, names.LISTENER), bytes(listener), frozenset(references))


def _manager(door: LocalDoor) -> HttpConnectionManager:
    return HttpConnectionManager(
        stat_prefix="front_door",
        scoped_routes=scoped_routes(),
        http_filters=_filters(door),
        early_header_mutation_extensions=[early_header_mutation()],
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        use_remote_address=True,
        forward_client_cert_details=HttpConnectionManagerForwardClientCertDetails.SANITIZE,
        server_header_transformation=HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        upgrade_configs=[
            HttpConnectionManagerUpgradeConfig(upgrade_type="websocket"),
            HttpConnectionManagerUpgradeConfig(upgrade_type="SPDY/3.1"),
        ],
        common_http_protocol_options=common_options(),
        max_request_headers_kb=HEADERS_KIB,
        http2_protocol_options=http2_options(),
        stream_idle_timeout=timedelta(0),
        request_headers_timeout=timedelta(seconds=10),
        local_reply_config=local_replies(_REFUSED),
        generate_request_id=False,
    )


def _filters(door: LocalDoor) -> list[HttpFilter]:
    script = f"local select_route = (function()\n{door.scope_script}\nend)()\n{door.script}"
    return [
        *([] if door.listen.path else [_local_hosts()]),
        lua_filter("isthmus.local", script),
        redirects_filter(),
        alpn_filter(),
        strip_filter(impersonation=False),
        *([_credential()] if door.shows_token else []),
        router_filter(),
    ]


def _local_hosts() -> HttpFilter:
    host = HeaderMatcher(
        name=":authority", string_match=StringMatcher(safe_regex=RegexMatcher(regex=_LOCAL_HOSTS), ignore_case=False)
    )
    allowed = Policy(permissions=[Permission(header=host)], principals=[Principal(any=True)])
    rules = Rbac(action=RbacAction.ALLOW, policies={"local": allowed})
    return HttpFilter(name="isthmus.local_hosts", typed_config=any_of(RbacFilter(rules=rules)))


def _credential() -> HttpFilter:
    secret = SdsSecretConfig(name=names.BEARER_TOKEN_SECRET, sds_config=ads(_FETCH_TIMEOUT))
    generic = TypedExtensionConfig(
        name="envoy.http.injected_credentials.generic", typed_config=any_of(Generic(credential=secret))
    )
    # Without the token yet, a request is not sent as nobody.
    injector = CredentialInjector(credential=generic, overwrite=True, allow_request_without_credential=False)
    return HttpFilter(name="isthmus.credential", typed_config=any_of(injector))
