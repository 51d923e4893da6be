"""Values that anybody may send, for properties that hold of all of them.

In: nothing. Out: strategies of texts, numbers and JSON, among them those that mean something to authentication. Law:
what is no UTF-8 is there as surrogates that stand for single bytes.
"""

from __future__ import annotations

from hypothesis import strategies as st

# Nobody listens there.
NOWHERE = "https://127.0.0.1:1"

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["isthmus", NOWHERE, "one", "", "groups", "web", "system:masters", "a b", " a", "a\r\nb", "\udc80"]
    ),
    st.binary(max_size=8).map(lambda data: data.decode(errors="surrogateescape")),
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 4_000_000_000, 2**63, 2**64, 1e308]))
CLAIM_NAMES = st.sampled_from(
    [
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "groups", "email", "email_verified"),
        *("_claim_names", "_claim_sources", "endpoint", "access_token", "JWT", "one", "kubernetes.io", "namespace"),
        *("serviceaccount", "name", "uid", "pod", "node", "kubernetes.io/serviceaccount/secret.name"),
        *("kubernetes.io/serviceaccount/namespace", "kubernetes.io/serviceaccount/service-account.name"),
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(CLAIM_NAMES, TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)
