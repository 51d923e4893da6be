"""Filters that are not even made for a request whose verdict is known, ext_authz among them.

In: filters, or how long to wait for answers. Out: the same in a composite filter, and the one that ECDS delivers. Law:
only the one word that arrival.lua writes into `names.VERDICTS_HEADER`, together with a user's name, leaves such a
filter out. We have overwritten the header before; anything else in it, or nothing, means that the request is asked
about.

Envoy makes the filters of a chain for each request, whether they have work to do or not, and ext_authz costs more than
all of the verdict cache. The composite filter makes those it holds when its matcher says so. Ext_authz has one of its
own: of several in one composite filter, Envoy 1.40 forgets those behind one that has waited, as ext_authz does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRules
from envoy_data_plane.envoy.config.core.v3 import ApiVersion, GrpcService, GrpcServiceEnvoyGrpc, TypedExtensionConfig
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.common.matcher.action.v3 import SkipFilter
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import (
    Composite,
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput, ListStringMatcher, StringMatcher
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as MatcherExtension
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
)
from envoy_data_plane.xds.type.matcher.v3 import StringMatcher as PredicateString

from controlplane.model.resource import CLUSTER, EXTENSION_CONFIG, EnvoyResource, ResourceName
from controlplane.translation import names
from controlplane.translation.guard import is_named
from controlplane.translation.retries import another_host

# What authorization reads; sending every header with every question would cost both sides time. The header :path is the
# path byte for byte, which the request's path attribute is not when it is no UTF-8; the Audit-ID is for the log alone.
_READ_HEADERS: Final = (":path", "audit-id", "authorization", "connection", "sec-websocket-protocol", "upgrade")


def authorization_filter(*, keeps_verdicts: bool, patience: timedelta, retries: bool = False) -> EnvoyResource:
    """The ext_authz filter, which waits `patience` for answers; by ECDS, so that changing it drains no connection.

    `retries` says whether somebody else is asked when who was asked is gone. Without `keeps_verdicts` every request is
    asked about.
    """
    asked = TypedExtensionConfig(name="ext_authz", typed_config=Any.pack(_ext_authz(patience, retries=retries)))
    config = _unless_known(ExecuteFilterAction(typed_config=asked), keeps_verdicts=keeps_verdicts)
    extension = TypedExtensionConfig(name=names.AUTHORIZATION_FILTER, typed_config=Any.pack(config))
    references = frozenset((ResourceName(CLUSTER, names.AUTHORIZATION_CLUSTER),))
    return EnvoyResource(ResourceName(EXTENSION_CONFIG, names.AUTHORIZATION_FILTER), bytes(extension), references)


def unless_known(made: Sequence[HttpFilter], *, keeps_verdicts: bool) -> ExtensionWithMatcher:
    """Filters that are `made`, except for a request whose verdict is known; without `keeps_verdicts` always.

    None of them may wait for anything.
    """
    chain = [TypedExtensionConfig(name=each.name, typed_config=each.typed_config) for each in made]
    action = ExecuteFilterAction(filter_chain=FilterChainConfiguration(typed_config=chain))
    return _unless_known(action, keeps_verdicts=keeps_verdicts)


def _unless_known(action: ExecuteFilterAction, *, keeps_verdicts: bool) -> ExtensionWithMatcher:
    composite = TypedExtensionConfig(name="envoy.filters.http.composite", typed_config=Any.pack(Composite()))
    known = _known() if keeps_verdicts else None
    matcher = Matcher(matcher_list=known, on_no_match=MatcherOnMatch(action=_extension("unknown", action)))
    return ExtensionWithMatcher(extension_config=composite, xds_matcher=matcher)


def _ext_authz(patience: timedelta, *, retries: bool) -> ExtAuthz:
    asked = GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=names.AUTHORIZATION_CLUSTER),
        timeout=patience,
        retry_policy=another_host(patience) if retries else None,
    )
    return ExtAuthz(
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
                StringMatcher(prefix=names.IMPERSONATION_PREFIX),
            ]
        ),
        metadata_context_namespaces=[names.TLS_METADATA, names.REQUEST_HEADER_METADATA],
        validate_mutations=True,
        decoder_header_mutation_rules=HeaderMutationRules(disallow_all=True),
        stat_prefix="isthmus",
    )


def _known() -> MatcherMatcherList:
    header = _extension("verdict", HttpRequestHeaderMatchInput(header_name=names.VERDICTS_HEADER))
    said = MatcherMatcherListPredicateSinglePredicate(
        input=header, value_match=PredicateString(exact=names.KNOWN_VERDICT)
    )
    both = MatcherMatcherListPredicatePredicateList(
        predicate=[MatcherMatcherListPredicate(single_predicate=said), is_named()]
    )
    left_out = MatcherOnMatch(action=_extension("known", SkipFilter()))
    known = MatcherMatcherListFieldMatcher(predicate=MatcherMatcherListPredicate(and_matcher=both), on_match=left_out)
    return MatcherMatcherList(matchers=[known])


def _extension(name: str, config: betterproto2.Message) -> MatcherExtension:
    return MatcherExtension(name=name, typed_config=Any.pack(config))
