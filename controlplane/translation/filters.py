"""The HTTP filter chain, and why it is in this order.

In: the Lua sources. Out: the filters of the connection manager, and the authorization filter that ECDS delivers. Law:
nothing a client wrote about identity or routing is read by any filter, because early header mutation has removed it;
and nothing reaches the router without an identity that authorization has found.

    early header mutation   forged X-Remote-*, X-Isthmus-* and X-Envoy-* go; the normalised path is written for scope
                            selection; every request gets an Audit-ID
    verdicts (by ECDS)      says which of the verdicts that are kept still hold; only when verdicts are kept
    arrival.lua             writes the identity of a known verdict, or else says whether the client certificate was
                            verified; gives a route to what has no scope of its own (with verdicts.lua and scope.lua)
    ext_authz (by ECDS)     who is it, may it: Isthmus decides, unless the verdict is known
    identity.lua            writes the identity that Isthmus has found, one header line per group
    custom_response         refuses to pass on a backend's redirect
    set_filter_state        an upgrade takes an HTTP/1.1 connection to the backend
    header_mutation         Authorization, Impersonate-*, Envoy's and our own headers go
    router
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import (
    HeaderMutation,
    HeaderMutationRemoveOnMatch,
    HeaderMutationRules,
)
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    DataSource,
    ExtensionConfigSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    SubstitutionFormatString,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import (
    FilterStateValue,
    FilterStateValueSharedWithUpstream,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import Mutations
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state.v3 import Config as SetFilterState
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.matcher.v3 import (
    ListStringMatcher,
    MetadataMatcher,
    MetadataMatcherPathSegment,
    RegexMatcher,
    StringMatcher,
    ValueMatcher,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.protobuf import Any

from controlplane.model.resource import CLUSTER, EXTENSION_CONFIG, EnvoyResource, ResourceName
from controlplane.translation import names
from controlplane.translation.redirects import redirects_filter

# Underscores too: what reads X_Remote_User as X-Remote-User (CGI, WSGI) must not find one. x-envoy-* would steer our
# own router, because Envoy believes clients with private addresses.
_FORGED: Final = "x[-_](remote|isthmus|envoy)[-_].*"

# A decision is in memory and takes well under a millisecond; the rest is patience with a busy or restarting control
# plane.
_AUTHORIZATION_TIMEOUT: Final = timedelta(seconds=5)

# What authorization reads; sending every header with every question would cost both sides time. The header :path is the
# path byte for byte, which the request's path attribute is not when it is no UTF-8.
_READ_HEADERS: Final = (":path", "authorization", "connection", "sec-websocket-protocol", "upgrade")
_IMPERSONATION: Final = "impersonate"

_AUDIT_ID: Final = "audit-id"
_ALPN_STATE: Final = "envoy.network.application_protocols"


@dataclass(frozen=True, slots=True)
class Scripts:
    """The Lua sources in `envoy/lua`; `verdicts` and `scope` are made part of `arrival`, which calls them."""

    verdicts: str
    scope: str
    arrival: str
    identity: str

    @property
    def before_authorization(self) -> str:
        """The source of the filter ahead of authorization."""
        parts = (("verdicts", self.verdicts), ("select_route", self.scope))
        return "".join(f"local {name} = (function()\n{source}\nend)()\n" for name, source in parts) + self.arrival


def any_of(message: betterproto2.Message) -> Any:
    """The message packed as google.protobuf.Any."""
    return Any.pack(message)


def early_header_mutation() -> TypedExtensionConfig:
    """Strips what a client must not say and writes the header that scopes are selected by, before routing."""
    path = HeaderValue(key=names.ROUTE_HEADER, value="%PATH(NQ)%")
    overwrite = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    mutations = [
        _remove_matching(StringMatcher(safe_regex=RegexMatcher(regex=_FORGED))),
        HeaderMutation(append=HeaderValueOption(header=path, append_action=overwrite)),
        # As in kube-apiserver: a client may bring its own, so that its logs and all audit logs can be joined.
        _add_if_absent(_AUDIT_ID, "%UNIQUE_ID%"),
    ]
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=any_of(EarlyHeaderMutation(mutations=mutations)),
    )


def http_filters(scripts: Scripts, *, keeps_verdicts: bool) -> list[HttpFilter]:
    """The chain of the module docstring."""
    told = HttpFilter(name=names.VERDICTS_FILTER, config_discovery=_discovered(HeaderMutationFilter))
    return [
        *([told] if keeps_verdicts else []),
        _lua("isthmus.arrival", scripts.before_authorization, stat_prefix="verdicts"),
        HttpFilter(name=names.AUTHORIZATION_FILTER, config_discovery=_discovered(ExtAuthz)),
        _lua("isthmus.identity", scripts.identity),
        redirects_filter(),
        HttpFilter(name="isthmus.alpn", typed_config=any_of(_alpn())),
        HttpFilter(name="isthmus.strip", typed_config=any_of(_strip())),
        # Backends and clients see no x-envoy-* headers: kube-apiserver sends none.
        HttpFilter(name="envoy.filters.http.router", typed_config=any_of(Router(suppress_envoy_headers=True))),
    ]


def authorization_filter(*, keeps_verdicts: bool) -> EnvoyResource:
    """The ext_authz filter, delivered by ECDS so that changing it drains no connection."""
    asked = GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=names.AUTHORIZATION_CLUSTER), timeout=_AUTHORIZATION_TIMEOUT
    )
    config = ExtAuthz(
        grpc_service=asked,
        transport_api_version=ApiVersion.V3,
        # No answer is no permission; 503 rather than 403, which clients take for final.
        failure_mode_allow=False,
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        include_peer_certificate=True,
        # Repeated headers arrive as they were sent; joined with commas, two groups would be one.
        encode_raw_headers=True,
        allowed_headers=ListStringMatcher(
            patterns=[
                *(StringMatcher(exact=name) for name in _READ_HEADERS),
                StringMatcher(prefix=_IMPERSONATION),
            ]
        ),
        metadata_context_namespaces=[names.TLS_METADATA],
        filter_enabled_metadata=_unless_known() if keeps_verdicts else None,
        validate_mutations=True,
        decoder_header_mutation_rules=HeaderMutationRules(disallow_all=True),
        stat_prefix="isthmus",
    )
    extension = TypedExtensionConfig(name=names.AUTHORIZATION_FILTER, typed_config=any_of(config))
    references = frozenset((ResourceName(CLUSTER, names.AUTHORIZATION_CLUSTER),))
    return EnvoyResource(ResourceName(EXTENSION_CONFIG, names.AUTHORIZATION_FILTER), bytes(extension), references)


def ads(initial_fetch_timeout: timedelta) -> ConfigSource:
    """The way to resources: the aggregated stream the whole configuration comes by."""
    return ConfigSource(
        ads=AggregatedConfigSource(),
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=initial_fetch_timeout,
    )


def _discovered(kind: type[betterproto2.Message]) -> ExtensionConfigSource:
    return ExtensionConfigSource(
        # Zero: wait as long as it takes. A listener without its authorization filter must not open.
        config_source=ads(timedelta(0)),
        type_urls=[any_of(kind()).type_url],
    )


def _unless_known() -> MetadataMatcher:
    """Everything but a request of which arrival.lua says that its verdict is known; silence means that it is not."""
    return MetadataMatcher(
        filter=names.VERDICT_METADATA,
        path=[MetadataMatcherPathSegment(key=names.KNOWN_VERDICT)],
        value=ValueMatcher(bool_match=True),
        invert=True,
    )


def _lua(name: str, source: str, *, stat_prefix: str = "") -> HttpFilter:
    # The route cache is cleared by the script where it must be, not by every header it writes.
    code = DataSource(inline_string=source)
    lua = Lua(default_source_code=code, clear_route_cache=False, stat_prefix=stat_prefix)
    return HttpFilter(name=name, typed_config=any_of(lua))


def _alpn() -> SetFilterState:
    value = FilterStateValue(
        object_key=_ALPN_STATE,
        format_string=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=f"%REQ({names.ALPN_HEADER})%"), omit_empty_values=True
        ),
        skip_if_empty=True,
        shared_with_upstream=FilterStateValueSharedWithUpstream.ONCE,
    )
    return SetFilterState(on_request_headers=[value])


def _strip() -> HeaderMutationFilter:
    return HeaderMutationFilter(
        mutations=Mutations(
            request_mutations=[
                HeaderMutation(remove="authorization"),
                _remove_matching(StringMatcher(prefix=_IMPERSONATION)),
                _remove_matching(StringMatcher(prefix="x-isthmus-")),
                _remove_matching(StringMatcher(prefix="x-envoy-")),
            ],
            # A backend that writes audit logs has said so already.
            response_mutations=[_add_if_absent(_AUDIT_ID, f"%REQ({_AUDIT_ID})%")],
        )
    )


def _add_if_absent(name: str, value: str) -> HeaderMutation:
    action = HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT
    return HeaderMutation(append=HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action))


def _remove_matching(key_matcher: StringMatcher) -> HeaderMutation:
    return HeaderMutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=key_matcher))
