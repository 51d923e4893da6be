"""AuthenticationConfiguration files: what they say, and every reason why one is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import yaml
from pki import UNKNOWN_VERSION, VERSION, CertificateAuthority, altered

from controlplane.auth.jwt.configuration import (
    Anonymous,
    AuthenticationConfiguration,
    ClaimMapping,
    ClaimRule,
    ExtraMapping,
    Issuer,
    JwtIssuer,
    UserRule,
)
from controlplane.auth.jwt.decode import decode

URL = "https://issuer.example.org"
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n"


def entry(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """An entry of `jwt`, with other values at dotted paths (`_` for a dot; None removes)."""
    made: dict[str, Any] = {
        "issuer": {"url": URL, "audiences": ["isthmus"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
    }
    for path, value in more.items():
        *folders, name = path.split("_")
        place = made
        for folder in folders:
            place = place.setdefault(folder, {})
        if value is None:
            del place[name]
        else:
            place[name] = value
    return made


def problems(*entries: dict[str, Any], disallowed: tuple[str, ...] = (), **more: object) -> list[tuple[str, str]]:
    """Field and message of everything that is wrong with a file that has these entries."""
    text = HEAD + yaml.safe_dump({"jwt": list(entries), **more})
    configuration, found = decode(text, "/auth.yaml", disallowed)
    assert (configuration is None) == bool(found)
    assert all(problem.remedy for problem in found)
    return [(problem.field, problem.message) for problem in found]


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_everything_is_read(version: str) -> None:
    """Every field, in each of the three versions."""
    authority = CertificateAuthority("CA").certificate.decode()
    content = {
        "apiVersion": f"apiserver.config.k8s.io/{version}",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {
                    "url": URL,
                    "discoveryURL": "https://inside.example.org/discovery",
                    "certificateAuthority": authority,
                    "audiences": ["a", "b"],
                    "audienceMatchPolicy": "MatchAny",
                },
                "claimValidationRules": [
                    {"claim": "hd", "requiredValue": "example.org"},
                    {"expression": "claims.?email_verified.orValue(true) == true", "message": "unverified"},
                ],
                "claimMappings": {
                    "username": {"expression": "'x:' + claims.email"},
                    "groups": {"claim": "groups", "prefix": "g:"},
                    "uid": {"claim": "sub"},
                    "extra": [{"key": "example.org/team", "valueExpression": "claims.team"}],
                },
                "userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "no"}],
            }
        ],
        "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}, {"path": "/readyz"}]},
    }
    expected = AuthenticationConfiguration(
        (
            JwtIssuer(
                Issuer(URL, ("a", "b"), "https://inside.example.org/discovery", authority),
                username=ClaimMapping(expression="'x:' + claims.email"),
                groups=ClaimMapping("groups", "g:"),
                uid=ClaimMapping("sub"),
                extra=(ExtraMapping("example.org/team", "claims.team"),),
                claim_rules=(
                    ClaimRule("hd", "example.org"),
                    ClaimRule(expression="claims.?email_verified.orValue(true) == true", message="unverified"),
                ),
                user_rules=(UserRule("!user.username.startsWith('system:')", "no"),),
            ),
        ),
        Anonymous(enabled=True, paths=("/livez", "/readyz")),
    )
    configuration, found = decode(yaml.safe_dump(content), "/auth.yaml")

    assert found == ()
    assert configuration == expected
    assert pickle.loads(pickle.dumps(configuration)) == expected  # noqa: S301 - made here


@pytest.mark.parametrize("text", [HEAD, HEAD + "jwt: []\n", HEAD + "jwt:\n", HEAD + "jwt: null\nanonymous: null\n"])
def test_a_file_may_say_nothing(text: str) -> None:
    """No issuers, and anonymous requests left to the settings."""
    assert decode(text, "/auth.yaml") == (AuthenticationConfiguration(), ())


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("", "", "it is empty"),
        ("- a", "", "it is a list"),
        ("a: b: c", "line 1", "it cannot be read as YAML"),
        (HEAD + "kind: X\n", "line 3", 'key "kind" already set in map'),
        (HEAD + "jwt: [&a [*a]]", "jwt[0]", "it is a list"),
        (HEAD + "jwt: {}", "jwt", "it is a mapping"),
        (HEAD + "jwks: []", "jwks", 'unknown field "jwks"'),
        (HEAD + "JWT: []", "JWT", 'unknown field "JWT"'),
        (HEAD + "anonymous: {enabled: 'true'}", "anonymous.enabled", "it is a string"),
        (HEAD + "anonymous: {paths: []}", "anonymous.paths", 'unknown field "anonymous.paths"'),
        (HEAD + "jwt: [{issuer: {url: 1}}]", "jwt[0].issuer.url", "it is a number"),
        (HEAD + "jwt: [{issuer: {audience: x}}]", "jwt[0].issuer.audience", 'unknown field "jwt[0].issuer.audience"'),
        (HEAD + "jwt: [null]", "jwt[0]", "it is null"),
        (HEAD + "anonymous: {conditions: [{path: 12}]}", "anonymous.conditions[0].path", "it is a number"),
        ("kind: AuthenticationConfiguration", "apiVersion", 'is registered for version ""'),
        (HEAD.replace("/v1", "/v2"), "apiVersion", 'is registered for version "apiserver.config.k8s.io/v2"'),
        (HEAD.replace("Authentication", "Authorization"), "apiVersion", 'no kind "AuthorizationConfiguration"'),
        ("a: !!python/object:os.system {}", "line 1", "it cannot be read as YAML"),
    ],
)
def test_the_shape_is_strict(text: str, field: str, message: str) -> None:
    """Unknown, repeated and mistyped keys refuse the file, and say where."""
    configuration, (problem, *_) = decode(text, "/auth.yaml")

    assert configuration is None
    assert problem.field == field
    assert message in problem.message
    assert str(problem).startswith("/auth.yaml: AuthenticationConfiguration: ")


def test_a_date_is_a_string() -> None:
    """A value that looks like a date needs no quotes, as for kube-apiserver."""
    configuration, found = decode(HEAD + "anonymous: {enabled: true, conditions: [{path: 2024-01-01}]}", "/auth.yaml")

    assert found == ()
    assert configuration == AuthenticationConfiguration(anonymous=Anonymous(enabled=True, paths=("2024-01-01",)))


SCHEME = 'Invalid value: "{}": URL scheme must be https'
PREFIX = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
RESERVED = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
TWICE = "claim and expression can't both be set"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"issuer_url": None}, "issuer.url", "Required value"),
        ({"issuer_url": "http://x"}, "issuer.url", SCHEME.format("http://x")),
        ({"issuer_url": "issuer.example.org"}, "issuer.url", SCHEME.format("issuer.example.org")),
        (
            {"issuer_url": "https://u:secret@x"},
            "issuer.url",
            'Invalid value: "https://[redacted]@x": URL must not contain a username or password',
        ),
        ({"issuer_url": "https://x?a=b"}, "issuer.url", 'Invalid value: "https://x?a=b": URL must not contain a query'),
        ({"issuer_url": "https://x#a"}, "issuer.url", 'Invalid value: "https://x#a": URL must not contain a fragment'),
        ({"issuer_url": "https://"}, "issuer.url", 'Invalid value: "https://": URL must have a host'),
        ({"issuer_url": "https://[x"}, "issuer.url", 'Invalid value: "https://[x": Invalid IPv6 URL'),
        *(
            ({"issuer_url": url}, "issuer.url", f'Invalid value: "{url}": invalid character or escape in URL')
            for url in (" https://x", "https://x ", "https://x y/z", "https://x/\x01", "https://x\n", "https://x/%zz")
        ),
        (
            {"issuer_discoveryURL": "https://x%"},
            "issuer.discoveryURL",
            'Invalid value: "https://x%": invalid character or escape in URL',
        ),
        (
            {"issuer_discoveryURL": f"{URL}/"},
            "issuer.discoveryURL",
            f'Invalid value: "{URL}/": discoveryURL must be different from URL',
        ),
        ({"issuer_discoveryURL": "http://x"}, "issuer.discoveryURL", SCHEME.format("http://x")),
        (
            {"issuer_audiences": []},
            "issuer.audiences",
            "Required value: at least one jwt[0].issuer.audiences is required",
        ),
        ({"issuer_audiences": [""]}, "issuer.audiences[0]", "Required value"),
        (
            {"issuer_audiences": ["a", "a"], "issuer_audienceMatchPolicy": "MatchAny"},
            "issuer.audiences[1]",
            'Duplicate value: "a"',
        ),
        (
            {"issuer_audiences": ["a", "b"]},
            "issuer.audienceMatchPolicy",
            'Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
        ),
        (
            {"issuer_audienceMatchPolicy": "MatchAll"},
            "issuer.audienceMatchPolicy",
            'Invalid value: "MatchAll": audienceMatchPolicy must be empty or MatchAny for single audience',
        ),
        (
            {"issuer_certificateAuthority": "secret"},
            "issuer.certificateAuthority",
            'Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates',
        ),
        (
            {
                "issuer_certificateAuthority": altered(
                    CertificateAuthority("CA").certificate, VERSION, UNKNOWN_VERSION
                ).decode()
            },
            "issuer.certificateAuthority",
            'Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates',
        ),
        (
            {"issuer_egressSelectorType": "cluster"},
            "issuer.egressSelectorType",
            'Invalid value: "cluster": Isthmus has no egress selector: it connects to issuers directly',
        ),
        (
            {"claimValidationRules": [{"claim": "a", "expression": "true"}]},
            "claimValidationRules[0]",
            f'Invalid value: "a": {TWICE}',
        ),
        (
            {"claimValidationRules": [{}]},
            "claimValidationRules[0]",
            "Required value: claim or expression is required",
        ),
        (
            {"claimValidationRules": [{"claim": "a", "message": "m"}]},
            "claimValidationRules[0].message",
            'Invalid value: "m": may not be specified when claim is set',
        ),
        (
            {"claimValidationRules": [{"claim": "a"}, {"claim": "a"}]},
            "claimValidationRules[1].claim",
            'Duplicate value: "a"',
        ),
        (
            {"claimValidationRules": [{"expression": "true", "requiredValue": "v"}]},
            "claimValidationRules[0].requiredValue",
            'Invalid value: "v": may not be specified when expression is set',
        ),
        (
            {"claimValidationRules": [{"expression": "true"}, {"expression": "true"}]},
            "claimValidationRules[1].expression",
            'Duplicate value: "true"',
        ),
        (
            {"claimValidationRules": [{"expression": "claims.foo"}]},
            "claimValidationRules[0].expression",
            'Invalid value: "claims.foo": must evaluate to bool',
        ),
        ({"claimMappings_username": {}}, "claimMappings.username", "Required value: claim or expression is required"),
        (
            {"claimMappings_username": {"claim": "a", "expression": "claims.a"}},
            "claimMappings.username",
            f'Invalid value: "": {TWICE}',
        ),
        (
            {"claimMappings_username": {"claim": "a"}},
            "claimMappings.username.prefix",
            f"Required value: {PREFIX}",
        ),
        (
            {"claimMappings_groups": {"expression": "claims.a", "prefix": "p"}},
            "claimMappings.groups.prefix",
            'Invalid value: "p": may not be specified when expression is set',
        ),
        (
            {"claimMappings_uid": {"claim": "a", "expression": "claims.a"}},
            "claimMappings.uid",
            f'Invalid value: "": {TWICE}',
        ),
        (
            {"claimMappings_extra": [{"key": "", "valueExpression": "'a'"}]},
            "claimMappings.extra[0].key",
            "Required value",
        ),
        (
            {"claimMappings_extra": [{"key": "foo", "valueExpression": "'a'"}]},
            "claimMappings.extra[0].key",
            'Invalid value: "foo": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        (
            {"claimMappings_extra": [{"key": "example.org/Foo", "valueExpression": "'a'"}]},
            "claimMappings.extra[0].key",
            'Invalid value: "example.org/Foo": must be lowercase',
        ),
        (
            {"claimMappings_extra": [{"key": "a.k8s.io/b", "valueExpression": "'a'"}]},
            "claimMappings.extra[0].key",
            f'Invalid value: "a.k8s.io/b": {RESERVED}',
        ),
        (
            {"claimMappings_extra": [{"key": "kubernetes.io/b", "valueExpression": "'a'"}]},
            "claimMappings.extra[0].key",
            f'Invalid value: "kubernetes.io/b": {RESERVED}',
        ),
        ({"claimMappings_extra": [{"key": "a.io/b"}]}, "claimMappings.extra[0].valueExpression", "Required value"),
        (
            {"claimMappings_extra": [{"key": "a.io/b", "valueExpression": "'a'"}] * 2},
            "claimMappings.extra[1].key",
            'Duplicate value: "a.io/b"',
        ),
        ({"userValidationRules": [{"message": "m"}]}, "userValidationRules[0].expression", "Required value"),
        (
            {"userValidationRules": [{"expression": "true"}] * 2},
            "userValidationRules[1].expression",
            'Duplicate value: "true"',
        ),
    ],
)
def test_values_are_judged_as_kube_apiserver_judges_them(change: dict[str, Any], field: str, message: str) -> None:
    """One defect, at kube-apiserver's field, in kube-apiserver's words."""
    assert problems(entry(**change)) == [(f"jwt[0].{field}", message)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"claimMappings_username": {"expression": "claims."}}, "claimMappings.username.expression"),
        ({"claimMappings_groups": {"expression": "nobody"}}, "claimMappings.groups.expression"),
        ({"claimMappings_uid": {"expression": "user.uid"}}, "claimMappings.uid.expression"),
        ({"userValidationRules": [{"expression": "user.name == ''"}]}, "userValidationRules[0].expression"),
        ({"userValidationRules": [{"expression": "claims.a == ''"}]}, "userValidationRules[0].expression"),
        (
            {"claimMappings_extra": [{"key": "a.io/b", "valueExpression": "("}]},
            "claimMappings.extra[0].valueExpression",
        ),
    ],
)
def test_expressions_must_compile(change: dict[str, Any], field: str) -> None:
    """An expression that does not compile is a defect of its field."""
    ((found, message),) = problems(entry(**change))

    assert found == f"jwt[0].{field}"
    assert "compilation failed" in message


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"claimMappings_username": {"expression": "claims.email"}}, True),
        ({"claimMappings_username": {"expression": "claims.?email.orValue('')"}}, True),
        ({"claimMappings_username": {"expression": "claims['email']"}}, False),
        ({"claimMappings_username": {"expression": "claims.email_verified ? claims.email : claims.sub"}}, False),
        ({"claimMappings_username": {"claim": "email", "prefix": ""}}, False),
        ({"claimMappings_groups": {"expression": "claims.email"}}, False),
        (
            {
                "claimMappings_username": {"expression": "claims.email"},
                "claimValidationRules": [{"expression": "claims.?email_verified.orValue(true) == true"}],
            },
            False,
        ),
        (
            {
                "claimMappings_username": {"expression": "claims.email"},
                "claimMappings_extra": [{"key": "a.io/b", "valueExpression": "string(claims.email_verified)"}],
            },
            False,
        ),
        (
            {
                "claimMappings_username": {"expression": "claims.email"},
                "claimMappings_groups": {"expression": "string(claims.email_verified)"},
            },
            True,
        ),
    ],
)
def test_an_email_in_an_expression_must_be_verified_in_one(change: dict[str, Any], refused: bool) -> None:
    """`claims.email` as user name wants `claims.email_verified` where kube-apiserver wants it."""
    fields = [field for field, _ in problems(entry(**change))]

    assert fields == (["jwt[0].claimMappings.username.expression"] if refused else [])


def test_issuers_of_service_accounts_are_disallowed() -> None:
    """An issuer of service accounts cannot be claimed; its discovery address is no issuer."""
    assert problems(entry(), disallowed=(URL,)) == [
        ("jwt[0].issuer.url", f"Invalid value: \"{URL}\": URL must not overlap with disallowed issuers: ['{URL}']")
    ]
    assert problems(entry(issuer_discoveryURL="https://x/d"), disallowed=("https://x/d",)) == []


def test_issuers_are_unique() -> None:
    """Two entries never share a URL or a discovery URL."""
    discovery = "https://x/discovery"

    assert problems(entry(issuer_discoveryURL=discovery), entry(issuer_discoveryURL=discovery)) == [
        ("jwt[1].issuer.url", f'Duplicate value: "{URL}"'),
        ("jwt[1].issuer.discoveryURL", f'Duplicate value: "{discovery}"'),
    ]


def test_there_are_at_most_64_issuers() -> None:
    """The 65th refuses the file."""
    assert problems(*(entry() for _ in range(65))) == [("jwt", "Too many: 65: must have at most 64 items")]


def test_conditions_need_anonymous_requests() -> None:
    """Conditions where anonymous requests are off are a mistake."""
    assert problems(anonymous={"enabled": False, "conditions": [{"path": "/x"}]}) == [
        ("anonymous.conditions", "Invalid value: enabled should be set to true when conditions are defined")
    ]


def test_every_defect_is_told() -> None:
    """A file with several defects names them all."""
    assert len(problems(entry(issuer_url="http://x", issuer_audiences=[], claimMappings_username={}))) == 3
