"""Keeps backends from sending clients elsewhere.

In: nothing. Out: an HTTP filter. Law: a backend is trusted with its own APIs only. A client that follows a redirect
shows its credential to whatever the backend named, so that kube-aggregator, too, answers 502 in place of a redirect
(CVE-2022-3172).

It takes two steps, because what a filter chain is made of cannot depend on the route here (scope.lua selects it later):
the routes to backends remove Location, and this filter refuses redirects that have none. Redirects of the core API
server keep theirs.
"""

from __future__ import annotations

from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.custom_response.v3 import CustomResponse
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.http.custom_response.local_response_policy.v3 import LocalResponsePolicy
from envoy_data_plane.envoy.type.matcher.v3 import (
    HttpResponseHeaderMatchInput,
    HttpResponseStatusCodeClassMatchInput,
    HttpResponseStatusCodeMatchInput,
)
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherMatcherTree,
    MatcherMatcherTreeMatchMap,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

LOCATION: Final = "location"

_REFUSED: Final = "the backend attempted to redirect this request, which is not permitted"


def redirects_filter() -> HttpFilter:
    """The filter that answers 502 in place of a 3xx response without Location, 304 excepted."""
    anything = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcherGoogleRe2(), regex="(?s).*"))
    harmless = MatcherMatcherListPredicate(
        or_matcher=MatcherMatcherListPredicatePredicateList(
            predicate=[
                _is(HttpResponseHeaderMatchInput(header_name=LOCATION), anything),
                _is(HttpResponseStatusCodeMatchInput(), StringMatcher(exact="304")),
            ]
        )
    )
    refusal = LocalResponsePolicy(status_code=502, body=DataSource(inline_string=_REFUSED))
    refused = MatcherMatcherListFieldMatcher(
        predicate=MatcherMatcherListPredicate(not_matcher=harmless),
        on_match=MatcherOnMatch(action=_extension("refused", refusal)),
    )
    redirect = MatcherOnMatch(matcher=Matcher(matcher_list=MatcherMatcherList(matchers=[refused])))
    # The class is looked up first: whatever is not 3xx, nearly everything, costs one look at the status.
    by_class = MatcherMatcherTree(
        input=_extension("input", HttpResponseStatusCodeClassMatchInput()),
        exact_match_map=MatcherMatcherTreeMatchMap(map={"3xx": redirect}),
    )
    config = CustomResponse(custom_response_matcher=Matcher(matcher_tree=by_class))
    return HttpFilter(name="isthmus.redirects", typed_config=Any.pack(config))


def _is(message: betterproto2.Message, value: StringMatcher) -> MatcherMatcherListPredicate:
    single = MatcherMatcherListPredicateSinglePredicate(input=_extension("input", message), value_match=value)
    return MatcherMatcherListPredicate(single_predicate=single)


def _extension(name: str, config: betterproto2.Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=name, typed_config=Any.pack(config))
