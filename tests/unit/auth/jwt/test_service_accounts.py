"""Tokens of service accounts."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from controlplane.auth.evidence import Failed, Recognised
from controlplane.auth.jwt.service_accounts import ServiceAccountTokens, recognised_bound, recognised_legacy
from controlplane.model.identity import UserInfo

NOW = 1_700_000_000.0
TOKENS = ServiceAccountTokens(issuers=("https://kubernetes.default.svc",))
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:web")
KEY = "authentication.kubernetes.io/"
ACCOUNT = {"name": "shop", "uid": "u1"}


def bound(tokens: ServiceAccountTokens = TOKENS, kubernetes: object = ..., **claims: object) -> Recognised | Failed:
    """What a bound token with these claims beside good ones is."""
    good: dict[str, Any] = {
        "iss": "https://kubernetes.default.svc",
        "aud": ["https://kubernetes.default.svc"],
        "exp": NOW + 600,
        "nbf": NOW,
        "iat": NOW,
        "kubernetes.io": {"namespace": "web", "serviceaccount": ACCOUNT} if kubernetes is ... else kubernetes,
    }
    return recognised_bound({name: value for name, value in (good | claims).items() if value is not ...}, tokens, NOW)


def legacy(**claims: object) -> Recognised | Failed:
    """What a legacy token with these claims beside good ones is."""
    prefix = "kubernetes.io/serviceaccount/"
    good = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:web:shop",
        f"{prefix}namespace": "web",
        f"{prefix}secret.name": "shop-token",
        f"{prefix}service-account.name": "shop",
        f"{prefix}service-account.uid": "u1",
    }
    given = {name if name in ("sub", "exp", "aud") else f"{prefix}{name}": value for name, value in claims.items()}
    return recognised_legacy(good | given, TOKENS, NOW)


def test_a_bound_token_is_its_service_account() -> None:
    """Name, uid and the two groups, until `exp`."""
    user = UserInfo("system:serviceaccount:web:shop", "u1", GROUPS)

    assert bound() == Recognised(user, until=NOW + 600)


def test_what_a_token_is_bound_to_is_in_its_extras() -> None:
    """Pod, node and credential ID are told to backends, `warnafter` means nothing."""
    outcome = bound(
        kubernetes={
            "namespace": "web",
            "serviceaccount": ACCOUNT,
            "pod": {"name": "shop-1", "uid": "p1"},
            "node": {"name": "n1", "uid": "n2"},
            "warnafter": 1,
        },
        jti="j1",
    )

    assert isinstance(outcome, Recognised)
    assert outcome.user.extra == (
        (f"{KEY}credential-id", ("JTI=j1",)),
        (f"{KEY}node-name", ("n1",)),
        (f"{KEY}node-uid", ("n2",)),
        (f"{KEY}pod-name", ("shop-1",)),
        (f"{KEY}pod-uid", ("p1",)),
    )


@pytest.mark.parametrize(
    "more",
    [
        {"pod": {"name": "p"}},
        {"pod": None, "node": {"uid": "u"}},
        {"secret": {"name": "s"}},
        {"pod": {"name": "p", "uid": None}},
    ],
)
def test_half_a_reference_is_no_extra(more: dict[str, object]) -> None:
    """A pod without uid and a node without name give no extra, and neither does a secret."""
    outcome = bound(kubernetes={"namespace": "web", "serviceaccount": ACCOUNT, **more})

    assert isinstance(outcome, Recognised)
    assert outcome.user.extra == ()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 60},
        {"nbf": NOW + 60},
        {"iat": NOW + 60},
        {"aud": ...},
        {"aud": []},
        {"aud": ["x", "https://kubernetes.default.svc"]},
    ],
)
def test_clocks_may_differ_by_a_minute(claims: dict[str, object]) -> None:
    """Every time has a leeway of a minute, and a token without audience is for everyone."""
    assert isinstance(bound(**claims), Recognised)


def test_a_bound_token_without_an_end_has_none() -> None:
    """As in kube-apiserver, `exp` may be missing."""
    outcome = bound(exp=...)

    assert isinstance(outcome, Recognised)
    assert outcome.until == inf


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 61}, "service account token has expired"),
        ({"nbf": NOW + 61}, "service account token is not valid yet"),
        ({"iat": NOW + 61}, "service account token is issued in the future"),
        ({"exp": "x"}, "is no number"),
        ({"aud": ["vault"]}, "token audiences are invalid"),
        ({"aud": 1}, "aud is no string"),
        ({"aud": None}, "aud is null"),
        ({"jti": 1}, "sub or jti is no string"),
        ({"sub": ["x"]}, "sub or jti is no string"),
        ({"kubernetes": None}, "no claim kubernetes.io"),
        ({"kubernetes": []}, "no claim kubernetes.io"),
        ({"kubernetes": {"namespace": "web"}}, "does not name"),
        ({"kubernetes": {"namespace": "web", "serviceaccount": {"name": "shop"}}}, "does not name"),
        ({"kubernetes": {"namespace": "", "serviceaccount": ACCOUNT}}, "no valid namespace"),
        ({"kubernetes": {"namespace": "a:b", "serviceaccount": ACCOUNT}}, "no valid namespace"),
        ({"kubernetes": {"namespace": "web", "serviceaccount": {"name": "a:b", "uid": "u"}}}, "no valid namespace"),
        ({"kubernetes": {"namespace": 1, "serviceaccount": ACCOUNT}}, "does not name"),
        ({"kubernetes": {"namespace": "web", "serviceaccount": "shop"}}, "not written as name and uid"),
        ({"kubernetes": {"namespace": "web", "serviceaccount": ACCOUNT, "pod": "p"}}, "not written as name and uid"),
        ({"kubernetes": {"namespace": "web", "serviceaccount": ACCOUNT, "node": []}}, "not written as name and uid"),
        (
            {"kubernetes": {"namespace": "web", "serviceaccount": ACCOUNT, "secret": {"name": 1}}},
            "not written as name and uid",
        ),
    ],
)
def test_bound_tokens_that_are_refused(claims: dict[str, Any], reason: str) -> None:
    """Tokens at another time, for somebody else, or of no proper account are refused."""
    failed = bound(**claims)

    assert isinstance(failed, Failed)
    assert reason in failed.reason


def test_audiences_can_be_named() -> None:
    """Named audiences take the place of the issuers."""
    tokens = ServiceAccountTokens(issuers=TOKENS.issuers, audiences=("isthmus",))

    assert isinstance(bound(tokens), Failed)
    assert isinstance(bound(tokens, aud="isthmus"), Recognised)


def test_a_legacy_token_is_its_service_account_for_ever() -> None:
    """A token from a Secret has no audience, no extras and no end."""
    assert legacy() == Recognised(UserInfo("system:serviceaccount:web:shop", "u1", GROUPS), until=inf)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": "system:serviceaccount:web:admin"}, "sub claim is invalid"),
        ({"sub": None}, "sub claim is invalid"),
        ({"namespace": None}, "sub claim is invalid"),
        ({"secret.name": ""}, "secretName claim is missing"),
        ({"service-account.uid": None}, "does not name"),
        ({"sub": "system:serviceaccount:a:b:shop", "namespace": "a:b"}, "no valid namespace"),
        ({"exp": NOW - 61}, "has expired"),
        ({"aud": "vault"}, "token audiences are invalid"),
    ],
)
def test_legacy_tokens_that_are_refused(claims: dict[str, Any], reason: str) -> None:
    """A legacy token must say the same in all its claims."""
    failed = legacy(**claims)

    assert isinstance(failed, Failed)
    assert reason in failed.reason
