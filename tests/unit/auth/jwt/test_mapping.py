"""Users made of claims: the cases of kube-apiserver's documentation and of its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controlplane.auth.evidence import Failed
from controlplane.auth.jwt.configuration import ClaimMapping, ClaimRule, ExtraMapping, Issuer, JwtIssuer, UserRule
from controlplane.auth.jwt.mapping import UserMapping
from controlplane.model.identity import UserInfo

ISSUER = Issuer("https://issuer.example.org", ("isthmus",))
SUB = ClaimMapping(claim="sub")
# The token of the page "Authenticating" of kubernetes.io, which its examples are about.
DOCUMENTED = {
    "aud": "kubernetes",
    "exp": 1703232949,
    "iat": 1701107233,
    "iss": "https://example.com",
    "jti": "7c337942807e73caa2c30c868ac0ce910bce02ddcbfebe8c23b8b5f27ad62873",
    "nbf": 1701107233,
    "roles": "user,admin",
    "sub": "auth",
    "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db4a",
    "username": "foo",
}
CREDENTIAL = ("authentication.kubernetes.io/credential-id", (f"JTI={DOCUMENTED['jti']}",))


def user_of(claims: Mapping[str, Any], **settings: Any) -> UserInfo | Failed:  # noqa: ANN401 - fields of JwtIssuer
    """The user that `claims` name to an issuer with these settings."""
    return UserMapping(JwtIssuer(ISSUER, **{"username": SUB, **settings})).user(claims)


def reason_of(claims: Mapping[str, Any], **settings: Any) -> str:  # noqa: ANN401 - fields of JwtIssuer
    """Why `claims` name no user."""
    outcome = user_of(claims, **settings)
    assert isinstance(outcome, Failed), outcome
    return outcome.reason


def test_the_documented_example_gives_the_documented_user() -> None:
    """username, groups, uid and extra by expression, as kubernetes.io shows it."""
    user = user_of(
        DOCUMENTED,
        username=ClaimMapping(expression="claims.username + ':external-user'"),
        groups=ClaimMapping(expression="claims.roles.split(',')"),
        uid=ClaimMapping(expression="claims.sub"),
        extra=(ExtraMapping("example.com/tenant", "claims.tenant"),),
        user_rules=(
            UserRule("!user.username.startsWith('system:')", "username cannot use reserved system: prefix"),
            UserRule("user.groups.all(group, !group.startsWith('system:'))", "groups cannot use the prefix"),
        ),
    )

    assert user == UserInfo(
        "foo:external-user",
        "auth",
        ("user", "admin"),
        (CREDENTIAL, ("example.com/tenant", ("72f988bf-86f1-41af-91ab-2d7cd011db4a",))),
    )


def test_the_documented_prefix_of_system_is_refused() -> None:
    """The user validation rule of kubernetes.io refuses a user named system:foo with its message."""
    reason = reason_of(
        DOCUMENTED,
        username=ClaimMapping(expression="'system:' + claims.username"),
        user_rules=(UserRule("!user.username.startsWith('system:')", "username cannot used reserved system: prefix"),),
    )

    assert reason == (
        "oidc: validation expression '!user.username.startsWith('system:')' failed: "
        "username cannot used reserved system: prefix"
    )


@pytest.mark.parametrize(
    ("claims", "mapping", "name"),
    [
        ({"sub": "jane"}, ClaimMapping(claim="sub"), "jane"),
        ({"sub": "jane"}, ClaimMapping(claim="sub", prefix="oidc:"), "oidc:jane"),
        ({"sub": None}, ClaimMapping(claim="sub", prefix="oidc:"), "oidc:"),
        ({"email": "j@x", "email_verified": True}, ClaimMapping(claim="email"), "j@x"),
        ({"email": "j@x"}, ClaimMapping(claim="email"), "j@x"),
        ({"sub": "jane", "email_verified": False}, ClaimMapping(claim="sub"), "jane"),
        ({"sub": "jane"}, ClaimMapping(expression="'oidc:' + claims.sub"), "oidc:jane"),
        ({"a.b": "jane"}, ClaimMapping(expression="claims.a__dot__b"), "jane"),
        ({"sub": "s"}, ClaimMapping(expression="claims.?email.orValue(claims.sub)"), "s"),
    ],
)
def test_user_names(claims: dict[str, Any], mapping: ClaimMapping, name: str) -> None:
    """A claim with a prefix or an expression gives the user's name."""
    assert user_of(claims, username=mapping) == UserInfo(name)


@pytest.mark.parametrize(
    ("claims", "mapping", "reason"),
    [
        ({}, ClaimMapping(claim="sub"), 'oidc: parse claim "sub": claim not present'),
        ({"sub": 1}, ClaimMapping(claim="sub"), 'oidc: parse claim "sub": it is no string'),
        ({"sub": ["jane"]}, ClaimMapping(claim="sub"), 'oidc: parse claim "sub": it is no string'),
        ({"sub": ""}, ClaimMapping(claim="sub"), "the token's user name is empty"),
        ({"email": "j@x", "email_verified": False}, ClaimMapping(claim="email"), "oidc: email not verified"),
        ({"email": "j@x", "email_verified": "true"}, ClaimMapping(claim="email"), "oidc: email not verified"),
        ({"email": "j@x", "email_verified": None}, ClaimMapping(claim="email"), "oidc: email not verified"),
        ({"sub": 1}, ClaimMapping(expression="claims.sub"), "oidc: username claim expression must return a string"),
        ({"sub": ""}, ClaimMapping(expression="claims.sub"), "oidc: empty username via CEL expression is not allowed"),
        ({"sub": " system:masters"}, SUB, "a value of the token's user begins or ends with a space"),
        ({"sub": "jane\nx"}, SUB, "a value of the token's user holds a control character"),
    ],
)
def test_names_that_are_refused(claims: dict[str, Any], mapping: ClaimMapping, reason: str) -> None:
    """A claim that is missing, of another type, unverified or unfit for a header names nobody."""
    assert reason_of(claims, username=mapping) == reason


def test_a_failing_expression_names_nobody() -> None:
    """An error of evaluation refuses."""
    assert "resulted in error" in reason_of({}, username=ClaimMapping(expression="claims.sub"))


@pytest.mark.parametrize(
    ("value", "mapping", "groups"),
    [
        (["a", "b"], ClaimMapping(claim="g"), ("a", "b")),
        ("a", ClaimMapping(claim="g"), ("a",)),
        (None, ClaimMapping(claim="g"), ()),
        ([], ClaimMapping(claim="g"), ()),
        (["a"], ClaimMapping(claim="g", prefix="oidc:"), ("oidc:a",)),
        (["a"], ClaimMapping(claim="missing"), ()),
        (["a"], ClaimMapping(), ()),
        (["a", "", "b"], ClaimMapping(expression="claims.g"), ("a", "b")),
        ("a", ClaimMapping(expression="claims.g"), ("a",)),
        ("", ClaimMapping(expression="claims.g"), ()),
        (None, ClaimMapping(expression="claims.g"), ()),
        ("a,b", ClaimMapping(expression="claims.g.split(',').map(g, 'oidc:' + g)"), ("oidc:a", "oidc:b")),
    ],
)
def test_groups(value: object, mapping: ClaimMapping, groups: tuple[str, ...]) -> None:
    """A string or a list of strings gives groups; nothing, null and "" give none."""
    assert user_of({"sub": "jane", "g": value}, groups=mapping) == UserInfo("jane", groups=groups)


@pytest.mark.parametrize("value", [1, True, {"a": "b"}, ["a", 1], [["a"]]])
@pytest.mark.parametrize("mapping", [ClaimMapping(claim="g"), ClaimMapping(expression="claims.g")])
def test_groups_of_other_types_are_refused(value: object, mapping: ClaimMapping) -> None:
    """Whatever is no string or list of strings refuses the token."""
    assert isinstance(user_of({"sub": "jane", "g": value}, groups=mapping), Failed)


@pytest.mark.parametrize(
    ("mapping", "uid"),
    [
        (ClaimMapping(), ""),
        (ClaimMapping(claim="sub"), "jane"),
        (ClaimMapping(expression="claims.sub + '!'"), "jane!"),
    ],
)
def test_uids(mapping: ClaimMapping, uid: str) -> None:
    """A claim or an expression gives the uid."""
    assert user_of({"sub": "jane"}, uid=mapping) == UserInfo("jane", uid)


@pytest.mark.parametrize("mapping", [ClaimMapping(claim="x"), ClaimMapping(claim="n"), ClaimMapping(expression="1")])
def test_uids_that_are_no_strings_are_refused(mapping: ClaimMapping) -> None:
    """A uid that is configured must be a string."""
    assert isinstance(user_of({"sub": "jane", "n": 1}, uid=mapping), Failed)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("'bar'", ("bar",)),
        ("claims.list", ("a", "b")),
        ("(has(claims.is_admin) && claims.is_admin) ? 'true' : ''", ("true",)),
        ("(has(claims.other) && claims.other) ? 'true' : ''", None),
        ("[]", None),
        ("[claims.empty, 'x']", ("x",)),
        ("null", None),
    ],
)
def test_extras(expression: str, values: tuple[str, ...] | None) -> None:
    """An expression gives an extra's values, empty ones left out; none at all gives no extra."""
    claims = {"sub": "jane", "list": ["a", "b"], "is_admin": True, "empty": ""}
    extra = () if values is None else (("example.org/x", values),)

    assert user_of(claims, extra=(ExtraMapping("example.org/x", expression),)) == UserInfo("jane", extra=extra)


@pytest.mark.parametrize("jti", [1, "", None, ["x"]])
def test_only_a_jti_in_words_is_a_credential_id(jti: object) -> None:
    """A `jti` that is no string, or empty, is passed over."""
    assert user_of({"sub": "jane", "jti": jti}) == UserInfo("jane")


@pytest.mark.parametrize(
    ("claims", "rule", "accepted"),
    [
        ({"hd": "example.org"}, ClaimRule(claim="hd", required_value="example.org"), True),
        ({"hd": "example.com"}, ClaimRule(claim="hd", required_value="example.org"), False),
        ({}, ClaimRule(claim="hd", required_value="example.org"), False),
        ({"hd": ["example.org"]}, ClaimRule(claim="hd", required_value="example.org"), False),
        ({"hd": ""}, ClaimRule(claim="hd"), True),
        ({}, ClaimRule(claim="hd"), False),
        ({"hd": "example.org"}, ClaimRule(expression="claims.hd == 'example.org'"), True),
        ({"hd": "example.com"}, ClaimRule(expression="claims.hd == 'example.org'"), False),
        ({}, ClaimRule(expression="claims.hd == 'example.org'"), False),
        ({"exp": 9, "nbf": 1}, ClaimRule(expression="claims.exp - claims.nbf <= 86400.0"), True),
        ({"email_verified": "yes"}, ClaimRule(expression="claims.?email_verified.orValue(true) == true"), False),
        ({}, ClaimRule(expression="claims.?email_verified.orValue(true) == true"), True),
        ({"aud": ["b", "a"]}, ClaimRule(expression="sets.equivalent(claims.aud, ['a', 'b'])"), True),
    ],
)
def test_claim_rules(claims: dict[str, Any], rule: ClaimRule, accepted: bool) -> None:
    """A required claim must be a string of that value, and an expression must come to true."""
    assert isinstance(user_of({"sub": "jane", **claims}, claim_rules=(rule,)), UserInfo) is accepted


def test_user_rules_see_everything_of_the_user() -> None:
    """`user` has the name, uid, groups and extras that the mappings gave."""
    rules = (
        UserRule("user.uid == 'u'"),
        UserRule("user.groups == ['g']"),
        UserRule("user.extra['authentication.kubernetes.io/credential-id'] == ['JTI=j']"),
    )
    user = user_of(
        {"sub": "jane", "jti": "j", "u": "u", "g": "g"},
        uid=ClaimMapping(claim="u"),
        groups=ClaimMapping(claim="g"),
        user_rules=rules,
    )

    assert isinstance(user, UserInfo)


def test_an_expression_that_does_not_compile_is_an_error_of_the_caller() -> None:
    """A configuration that was not validated raises when it is made ready."""
    with pytest.raises(ValueError, match="compilation failed"):
        UserMapping(JwtIssuer(ISSUER, ClaimMapping(expression="claims.")))
