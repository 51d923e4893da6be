"""The last look at what an answer of authorization has made of a request.

In: nothing. Out: an HTTP filter, and the same question for a matcher. Law: without a user's name no request goes on.
Both are native, so that no error in a script, and no filter that was passed over, can make a request without identity
of one that had to have one.
"""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, Rbac, RbacAction
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import (
    HttpRequestHeaderMatchInput,
    RegexMatcher,
    StringMatcher,
)
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    RegexMatcherGoogleRe2,
)
from envoy_data_plane.xds.type.matcher.v3 import RegexMatcher as PredicateRegex
from envoy_data_plane.xds.type.matcher.v3 import StringMatcher as PredicateString

_USER: Final = "x-remote-user"
_SOMETHING: Final = "(?s).+"


def guard_filter() -> HttpFilter:
    """The filter that answers 403 in place of a backend to a request without X-Remote-User."""
    name = HeaderMatcher(name=_USER, string_match=StringMatcher(safe_regex=RegexMatcher(regex=_SOMETHING)))
    named = Policy(permissions=[Permission(any=True)], principals=[Principal(header=name)])
    rules = Rbac(action=RbacAction.ALLOW, policies={"named": named})
    return HttpFilter(name="isthmus.guard", typed_config=Any.pack(RbacFilter(rules=rules)))


def is_named() -> MatcherMatcherListPredicate:
    """Holds for a request that the filter would let through."""
    header = Any.pack(HttpRequestHeaderMatchInput(header_name=_USER))
    something = PredicateString(safe_regex=PredicateRegex(google_re2=RegexMatcherGoogleRe2(), regex=_SOMETHING))
    return MatcherMatcherListPredicate(
        single_predicate=MatcherMatcherListPredicateSinglePredicate(
            input=TypedExtensionConfig(name="user", typed_config=header), value_match=something
        )
    )
