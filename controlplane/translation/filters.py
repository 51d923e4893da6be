"""The HTTP filter chain, and why it is in this order.

In: the Lua sources. Out: the filters of the connection manager. Law: nothing a client wrote about identity or routing
is read by any filter, because early header mutation has removed it; and nothing reaches the router without an identity
that authorization has found. Where front proxies may say who asks, one filter reads that, and the next removes it.

    early header mutation   forged X-Remote-*, X-Isthmus-* and X-Envoy-* go, and what a proxy does not pass on; the
                            normalised path is written for scope selection; every request gets an Audit-ID
    verdicts (by ECDS)      says which of the verdicts that are kept still hold; only when verdicts are kept
    request_headers.lua     reads what a front proxy says of who asks; only where there are front proxies, as the next
    header_mutation         X-Remote-* and the headers of front proxies go, here and not above
    arrival.lua             writes the identity of a known verdict, or else says whether the client certificate was
                            verified; gives a route to what has no scope of its own (with verdicts.lua and scope.lua)
    ext_authz (by ECDS)     who is it, may it: Isthmus decides; not there when the verdict is known, as the next three
    identity.lua            writes the identity that Isthmus has found, one header line per group
    set_filter_state        an upgrade takes an HTTP/1.1 connection to the backend
    rbac                    lets nothing through that has no X-Remote-User; known verdicts count only with one
    custom_response         refuses to pass on a backend's redirect
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
)
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    DataSource,
    ExtensionConfigSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    SubstitutionFormatString,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import (
    FilterStateValue,
    FilterStateValueSharedWithUpstream,
)
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
    RegexMatcher,
    StringMatcher,
)
from envoy_data_plane.google.protobuf import Any

from controlplane.translation import names
from controlplane.translation.authorization import unless_known
from controlplane.translation.guard import guard_filter
from controlplane.translation.redirects import redirects_filter
from controlplane.translation.request_headers import RequestHeaders

# Underscores too: what reads X_Remote_User as X-Remote-User (CGI, WSGI) must not find one. x-envoy-* would steer our
# own router, because Envoy believes clients with private addresses.
# Backends take X-Forwarded-Host and -Uri for the front proxy's word, and kube-aggregator overwrites them. A credential
# for proxies is none of theirs.
_NOT_PASSED_ON: Final = "x[-_]forwarded[-_](host|uri)|proxy[-_]authorization"
_FORGED: Final = f"x[-_](remote|isthmus|envoy)[-_].*|{_NOT_PASSED_ON}"
_FORGED_BUT_IDENTITY: Final = f"x[-_](isthmus|envoy)[-_].*|{_NOT_PASSED_ON}"

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
        made = "".join(f"local {name} = (function()\n{source}\nend)()\n" for name, source in parts)
        return made + self.arrival


def any_of(message: betterproto2.Message) -> Any:
    """The message packed as google.protobuf.Any."""
    return Any.pack(message)


def early_header_mutation(*, identity_too: bool = True) -> TypedExtensionConfig:
    """Strips what a client must not say and writes the header that scopes are selected by, before routing.

    Without `identity_too` X-Remote-* stay, for `http_filters` to read and remove.
    """
    forged = _FORGED if identity_too else _FORGED_BUT_IDENTITY
    path = HeaderValue(key=names.ROUTE_HEADER, value="%PATH(NQ)%")
    overwrite = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    mutations = [
        remove_matching(StringMatcher(safe_regex=RegexMatcher(regex=forged))),
        HeaderMutation(append=HeaderValueOption(header=path, append_action=overwrite)),
        # As in kube-apiserver: a client may bring its own, so that its logs and all audit logs can be joined.
        _add_if_absent(_AUDIT_ID, "%UNIQUE_ID%"),
    ]
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=any_of(EarlyHeaderMutation(mutations=mutations)),
    )


def http_filters(
    scripts: Scripts, *, keeps_verdicts: bool, request_headers: RequestHeaders | None = None
) -> list[HttpFilter]:
    """The chain of the module docstring."""
    told = HttpFilter(name=names.VERDICTS_FILTER, config_discovery=_discovered(HeaderMutationFilter))
    arrival = scripts.before_authorization
    # Upgrades are never known, so that nothing else needs ALPN to be chosen.
    identified = unless_known(
        [lua_filter("isthmus.identity", scripts.identity), alpn_filter(), guard_filter()], keeps_verdicts=keeps_verdicts
    )
    return [
        *([told] if keeps_verdicts else []),
        *(_asserted(request_headers) if request_headers is not None else []),
        lua_filter("isthmus.arrival", arrival, stat_prefix="verdicts"),
        HttpFilter(name=names.AUTHORIZATION_FILTER, config_discovery=_discovered(ExtensionWithMatcher)),
        HttpFilter(name="isthmus.identity", typed_config=any_of(identified)),
        redirects_filter(),
        strip_filter(impersonation=True),
        router_filter(),
    ]


def router_filter() -> HttpFilter:
    """The last filter; backends and clients see no x-envoy-* headers, since kube-apiserver sends none."""
    return HttpFilter(name="envoy.filters.http.router", typed_config=any_of(Router(suppress_envoy_headers=True)))


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


def lua_filter(name: str, source: str, *, stat_prefix: str = "") -> HttpFilter:
    """A filter that is this script."""
    # The route cache is cleared by the script where it must be, not by every header it writes.
    code = DataSource(inline_string=source)
    lua = Lua(default_source_code=code, clear_route_cache=False, stat_prefix=stat_prefix)
    return HttpFilter(name=name, typed_config=any_of(lua))


def _asserted(headers: RequestHeaders) -> list[HttpFilter]:
    """What a front proxy says is read by the first and removed from every request by the second."""
    every = remove_matching(StringMatcher(safe_regex=RegexMatcher(regex=headers.removed)))
    strip = HeaderMutationFilter(mutations=Mutations(request_mutations=[every]))
    return [
        lua_filter("isthmus.request_headers", headers.reader),
        HttpFilter(name="isthmus.strip_request_headers", typed_config=any_of(strip)),
    ]


def alpn_filter() -> HttpFilter:
    """Has a request with the header `names.ALPN_HEADER` offer that protocol alone to the backend."""
    value = FilterStateValue(
        object_key=_ALPN_STATE,
        format_string=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=f"%REQ({names.ALPN_HEADER})%"), omit_empty_values=True
        ),
        skip_if_empty=True,
        shared_with_upstream=FilterStateValueSharedWithUpstream.ONCE,
    )
    return HttpFilter(name="isthmus.alpn", typed_config=any_of(SetFilterState(on_request_headers=[value])))


def strip_filter(*, impersonation: bool) -> HttpFilter:
    """Removes the client's credential and what is ours; `impersonation` says whether Impersonate-* go as well."""
    impersonated = [remove_matching(StringMatcher(prefix=names.IMPERSONATION_PREFIX))] if impersonation else []
    forged = [remove_matching(StringMatcher(safe_regex=RegexMatcher(regex=_FORGED)))] if impersonation else []
    removed = [HeaderMutation(remove="authorization"), *impersonated]
    config = HeaderMutationFilter(
        mutations=Mutations(
            request_mutations=[
                *removed,
                remove_matching(StringMatcher(prefix="x-isthmus-")),
                remove_matching(StringMatcher(prefix="x-envoy-")),
            ],
            # Trailers come when all is decided, and some servers make them headers.
            request_trailers_mutations=[*removed, *forged],
            # A backend that writes audit logs has said so already.
            response_mutations=[_add_if_absent(_AUDIT_ID, f"%REQ({_AUDIT_ID})%")],
        )
    )
    return HttpFilter(name="isthmus.strip", typed_config=any_of(config))


def _add_if_absent(name: str, value: str) -> HeaderMutation:
    action = HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT
    return HeaderMutation(append=HeaderValueOption(header=HeaderValue(key=name, value=value), append_action=action))


def remove_matching(key_matcher: StringMatcher) -> HeaderMutation:
    """Takes all headers away whose names match."""
    return HeaderMutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=key_matcher))
