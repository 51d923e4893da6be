"""CEL expressions on plain values: what compiles, what they come to, and what is refused."""

from __future__ import annotations

import pytest

from controlplane.auth.cel import Bound, Defect, Environment, Expression, Failure, Returns
from controlplane.auth.records import Kind, Record

CLAIMS = {
    "sub": "jane",
    "email": "Jane@example.org",
    "email_verified": True,
    "groups": ["dev", "ops"],
    "roles": "reader,writer",
    "amr": None,
    "level": 3,
    "nested": {"deep": {"list": ["x"]}},
    "example.org/team": "blue",
    "package": "p",
}
USER = Record(
    "kubernetes.UserInfo",
    (
        ("username", Kind.STRING),
        ("uid", Kind.STRING),
        ("groups", Kind.STRINGS),
        ("extra", Kind.STRING_LISTS),
    ),
)
REQUEST = Record(
    "kubernetes.Request",
    (
        ("user", Kind.STRING),
        (
            "resourceAttributes",
            Record(
                "ResourceAttributes",
                (
                    ("namespace", Kind.STRING),
                    ("selectors", (Record("Selector", (("key", Kind.STRING), ("values", Kind.STRINGS))),)),
                ),
            ),
        ),
        ("nonResourceAttributes", Record("NonResourceAttributes", (("path", Kind.STRING),))),
    ),
)


def evaluated(text: str, variable: str, kind: Kind | Record, value: object) -> object:
    """What `text` comes to when `variable` has `value`; a `Defect` or `Failure` where it comes to nothing."""
    environment = Environment({variable: kind}, escapes=True)
    expression = environment.compile(text)
    if isinstance(expression, Defect):
        return expression
    bound = environment.bind({variable: value})
    return bound if isinstance(bound, Failure) else expression.evaluate(bound)


def of_claims(text: str, claims: object = None) -> object:
    """What `text` comes to on `claims`, by default those above."""
    return evaluated(text, "claims", Kind.JSON_OBJECT, CLAIMS if claims is None else claims)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claims.sub", "jane"),
        ("claims['sub']", "jane"),
        ("claims.email_verified", True),
        ("claims.?missing.orValue('')", ""),
        ("claims.?email.orValue('')", "Jane@example.org"),
        ("claims.?email_verified.orValue(true) == true", True),
        ("has(claims.email)", True),
        ("has(claims.missing)", False),
        ("'ops' in claims.groups", True),
        ("claims.sub.startsWith('ja')", True),
        ("claims.roles.split(',')", ["reader", "writer"]),
        ("claims.groups.map(group, 'oidc:' + group)", ["oidc:dev", "oidc:ops"]),
        ("claims.groups.filter(group, group != 'dev')", ["ops"]),
        ("claims.groups.join('-')", "dev-ops"),
        ("claims.email.lowerAscii()", "jane@example.org"),
        ("claims.roles.substring(7)", "writer"),
        ("claims.sub.matches('^j[a-z]+$')", True),
        ("claims.nested.?deep.?list[?0].orValue('none')", "x"),
        ("claims.amr", None),
        ("claims.level", 3.0),
        ("claims.level == 3", True),
        ("claims.level > 2.5", True),
        ("(has(claims.admin) && claims.admin) ? 'true' : ''", ""),
        ("claims.sub == 'jane' || claims.missing", True),
        ("claims.groups + ['all']", ["dev", "ops", "all"]),
        ("{'a': claims.sub}", {"a": "jane"}),
        ("'%s/%d'.format([claims.sub, 7])", "jane/7"),
        ("claims.example__dot__org__slash__team", "blue"),
        ("claims.__package__", "p"),
        ("sets.equivalent(claims.groups, ['ops', 'dev'])", True),
        ("sets.contains(claims.groups, ['ops'])", True),
        ("sets.contains(['ops'], claims.groups)", False),
        ("sets.intersects(claims.groups, ['ops', 'x'])", True),
        ("sets.intersects(claims.groups, ['x'])", False),
        ("sets.contains([1, 2], [1.0])", True),
        ("sets.contains([dyn(1)], [true])", False),
        ("sets.contains([[1], [2]], [[2]])", True),
        ("sets.contains([{'a': 1}], [{'a': 1}])", True),
        ("claims.sub.substring(0, size(claims.sub))", "jane"),
        ("claims.sub.substring(4, 4)", ""),
        ("claims.email.substring(claims.email.indexOf('@') + 1, claims.email.size()).substring(0, 7)", "example"),
        ("claims.groups.map(g, g.substring(1, 3))", ["ev", "ps"]),
        ("claims.?sub.orValue('x').substring(1)", "ane"),
        ("{'a': ['日本'.substring(1, 2)]}", {"a": ["本"]}),
        ("has(claims.sub) && claims.sub.substring(0, 4) == 'jane'", True),
    ],
)
def test_expressions_come_to_values(text: str, expected: object) -> None:
    """Expressions as they stand in kube-apiserver's documentation come to what they come to there."""
    result = of_claims(text)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("claims.", "Syntax error"),
        ("", "Syntax error"),
        ("nobody.sub", "undeclared reference to 'nobody"),
        ("'x' + 1", "found no matching overload for '_+_'"),
        ("claims.sub.find('[0-9]')", "undeclared reference to 'find'"),
        ("claims.sub.@substring(0, 1)", "Syntax error"),
        ("claims.sub == '\0'", "holds a NUL"),
        ("claims.sub == '\ud800'", "not Unicode"),
        ("(" * 300 + "1" + ")" * 300, "recursion limit exceeded"),
        ("true || " * 20000 + "true", "exceeds codepoint limit"),
        ("claims.l.map(x, " * 20 + "claims.sub" + ")" * 20, "macros nest too deeply"),
    ],
)
def test_what_does_not_compile_is_a_defect(text: str, reason: str) -> None:
    """A text that is no expression gives a defect on one line, at most some 330 characters long, that says why."""
    defect = Environment({"claims": Kind.JSON_OBJECT}).compile(text)

    assert isinstance(defect, Defect)
    assert defect.reason.startswith("compilation failed: ")
    assert reason in defect.reason
    assert "\n" not in defect.reason
    assert len(defect.reason) <= 330


@pytest.mark.parametrize("text", ["claims.email_verified", "claims.?email_verified.orValue(true)", "'x'", "1"])
def test_a_condition_must_come_to_bool_by_its_text(text: str) -> None:
    """As in kube-apiserver, a condition whose type is not known to be bool before evaluation is refused."""
    assert Environment({"claims": Kind.JSON_OBJECT}).compile(text, Returns.BOOL) == Defect("must evaluate to bool")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("claims.missing", "Key not found in map"),
        ("claims.email_verified && claims.sub", "No matching overloads"),
        ("claims.groups[9]", "index=9 size=2"),
        ("claims.level - 1", "No matching overloads"),
        ("optional.of(claims.sub)", "Unable to convert"),
        ("b'x'", "came to no string, number, bool, list or map"),
        ("duration('1h')", "came to no string, number, bool, list or map"),
        ("type(claims.sub)", "came to no string, number, bool, list or map"),
        ("sets.contains(claims.sub, ['x'])", "No matching overloads"),
        ("claims.sub.substring(0, 5)", "index out of range: 0 to 5"),
        ("claims.sub.substring(-1, 2)", "index out of range: -1 to 2"),
        ("claims.sub.substring(3, 2)", "index out of range: 3 to 2"),
        ("claims.level.substring(0, 1)", "No matching overloads"),
    ],
)
def test_what_cannot_be_evaluated_is_a_failure(text: str, reason: str) -> None:
    """An error of evaluation, and a value that no JSON can hold, is a failure that names the expression."""
    failure = of_claims(text)

    assert isinstance(failure, Failure)
    assert text in failure.reason
    assert reason in failure.reason


@pytest.mark.parametrize(
    "value",
    [
        {"sub": "admin\0evil"},
        {"sub\0": "x"},
        {"a": {"b": ["x", "y\0"]}},
        {"sub": "\ud800"},
        {"sub": object()},
        "no object",
        ["no object"],
        None,
    ],
)
def test_values_the_library_would_change_are_refused(value: object) -> None:
    """A NUL, which the library would cut a string at, and whatever JSON cannot hold give a failure."""
    environment = Environment({"claims": Kind.JSON_OBJECT})
    bound = environment.bind({"claims": value})

    if isinstance(bound, Bound):
        expression = environment.compile("has(claims.sub)")
        assert isinstance(expression, Expression)
        assert isinstance(expression.evaluate(bound), Failure)


def test_a_nul_in_a_value_never_reaches_an_expression() -> None:
    """What begins with admin and a NUL does not become admin: binding it fails."""
    assert isinstance(Environment({"claims": Kind.JSON_OBJECT}).bind({"claims": {"sub": "admin\0"}}), Failure)


@pytest.mark.parametrize("number", [2**70, -(2**70), 2**63, 1e300])
def test_numbers_of_any_size_are_doubles(number: float) -> None:
    """A number beyond 64 bits neither raises nor wraps around."""
    assert of_claims("claims.n", {"n": number}) == float(number)


def test_an_integer_beyond_doubles_is_a_failure() -> None:
    """A number that no double can hold fails instead of raising."""
    assert isinstance(of_claims("claims.n", {"n": 10**400}), Failure)


def test_iterations_are_bounded() -> None:
    """Nested macros over a large claim end with a failure instead of holding the event loop."""
    failure = of_claims("claims.l.all(a, claims.l.all(b, claims.l.all(c, c == c)))", {"l": ["x"] * 500})

    assert isinstance(failure, Failure)
    assert "Iteration budget exceeded" in failure.reason


def test_values_nested_without_end_are_a_failure() -> None:
    """Values nested deeper than Python can follow fail instead of raising."""
    value: object = "x"
    for _ in range(100_000):
        value = [value]

    assert isinstance(Environment({"claims": Kind.JSON_OBJECT}).bind({"claims": {"x": value}}), Failure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user.username", "jane"),
        ("!user.username.startsWith('system:')", True),
        ("user.groups.all(group, !group.startsWith('system:'))", True),
        ("user.extra['example.org/team'].all(value, value == 'blue')", True),
        ("has(user.uid)", True),
        ("user.extra.example__dot__org__slash__team", ["blue"]),
        ("user.username == 'jane' && user.extra.example__dot__org__slash__team == ['blue']", True),
        ("user.uid", ""),
    ],
)
def test_records_have_fields(text: str, expected: object) -> None:
    """A record's fields are read by name, and one that is set to the empty string is there."""
    value = {"username": "jane", "uid": "", "groups": ("dev",), "extra": {"example.org/team": ["blue"]}}

    assert evaluated(text, "user", USER, value) == expected


@pytest.mark.parametrize(
    "text", ["user.name", "user.username == 1", "user.groups.startsWith('x')", "user.groups + [1]"]
)
def test_records_are_checked_at_compile_time(text: str) -> None:
    """A misspelt field, or one used as what it is not, does not compile."""
    assert isinstance(Environment({"user": USER}).compile(text), Defect)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("has(request.resourceAttributes)", True),
        ("has(request.nonResourceAttributes)", False),
        ("request.resourceAttributes.namespace == ''", True),
        ("has(request.resourceAttributes.namespace)", True),
        ("request.resourceAttributes.selectors.exists(s, s.key == 'app' && 'web' in s.values)", True),
        ("has(request.resourceAttributes) ? request.user : ''", "jane"),
        ("request.resourceAttributes.namespace + '__'", "__"),
    ],
)
def test_records_hold_records(text: str, expected: object) -> None:
    """A record inside a record is there only when it is set, and lists of records are lists."""
    value = {
        "user": "jane",
        "resourceAttributes": {"namespace": "", "selectors": [{"key": "app", "values": ["web"]}]},
        "nonResourceAttributes": None,
    }

    assert evaluated(text, "request", REQUEST, value) == expected


@pytest.mark.parametrize("value", [{"nobody": "x"}, {"username": ["x"]}, {"groups": 1}, {"username": "a\0"}])
def test_values_that_do_not_fit_a_record_are_a_failure(value: object) -> None:
    """A field that is not declared or of another type fails."""
    assert isinstance(Environment({"user": USER}).bind({"user": value}), Failure)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claims.email", True),
        ("claims.?email.orValue('')", True),
        ("has(claims.email)", True),
        ("[claims.email]", True),
        ("{'a': claims.email}", True),
        ("claims.groups.all(g, g == claims.email)", True),
        ("claims.email.lowerAscii()", True),
        ("'x' + claims.email", True),
        ("claims['email']", False),
        ("claims.email_verified", False),
        ("claims.nested.email", False),
        ("'email'", False),
    ],
)
def test_selections_are_found(text: str, expected: bool) -> None:
    """`selects` finds a selection anywhere in an expression, and like kube-apiserver no index."""
    expression = Environment({"claims": Kind.JSON_OBJECT}).compile(text)

    assert isinstance(expression, Expression)
    assert expression.selects("claims", "email") is expected


def test_bound_values_are_not_shown() -> None:
    """The repr of bound values shows none of them."""
    bound = Environment({"claims": Kind.JSON_OBJECT}).bind({"claims": {"sub": "jane"}})

    assert "jane" not in repr(bound)
