"""The last look before a request leaves for a backend.

In: nothing. Out: an HTTP filter. Law: without a user's name no request goes on. It is native, so that no error in a
script, and no filter that was passed over, can make a request without identity of one that had to have one.

The filter that refuses is made only for a request that is to be refused: made for each it would cost 5 us more.
"""

from __future__ import annotations

from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.rbac.v3 import Rbac, RbacAction
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.common.matcher.action.v3 import SkipFilter
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import Composite, ExecuteFilterAction
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as MatcherExtension
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

_USER: Final = "x-remote-user"


def guard_filter() -> HttpFilter:
    """The filter that answers 403 in place of a backend to a request without X-Remote-User."""
    composite = TypedExtensionConfig(name="envoy.filters.http.composite", typed_config=Any.pack(Composite()))
    # A list of rules that allow, with none in it.
    nobody = RbacFilter(rules=Rbac(action=RbacAction.ALLOW))
    refusing = ExecuteFilterAction(typed_config=TypedExtensionConfig(name="refuse", typed_config=Any.pack(nobody)))
    matcher = Matcher(
        matcher_list=MatcherMatcherList(
            matchers=[
                MatcherMatcherListFieldMatcher(
                    predicate=_is_named(), on_match=MatcherOnMatch(action=_extension("pass", SkipFilter()))
                )
            ]
        ),
        on_no_match=MatcherOnMatch(action=_extension("refuse", refusing)),
    )
    guard = ExtensionWithMatcher(extension_config=composite, xds_matcher=matcher)
    return HttpFilter(name="isthmus.guard", typed_config=Any.pack(guard))


def _is_named() -> MatcherMatcherListPredicate:
    header = _extension("user", HttpRequestHeaderMatchInput(header_name=_USER))
    something = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcherGoogleRe2(), regex="(?s).+"))
    single = MatcherMatcherListPredicateSinglePredicate(input=header, value_match=something)
    return MatcherMatcherListPredicate(single_predicate=single)


def _extension(name: str, config: betterproto2.Message) -> MatcherExtension:
    return MatcherExtension(name=name, typed_config=Any.pack(config))
