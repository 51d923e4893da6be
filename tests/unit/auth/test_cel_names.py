"""Escaped names in expressions: each case came to the same in kube-apiserver 1.36's own wrapper of claims."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.auth.cel import Bound, Environment, Expression, Failure
from controlplane.auth.records import Kind, Record

CLAIMS = {
    "a.b": "dot",
    "a__dot__b": "named like an escape of a.b",
    "user__dash__name": "named like an escape of nothing",
    "p__q": "two underscores",
    "my__own__name": "no escape at all",
    "x__if__": "a reserved word beside other text",
    "if": "reserved",
    "a___dot__b": "three underscores",
    "key": "a__dot__b",
    "own": "my__own__name",
    "place": 0,
    "map": {
        "a.b": {"c/d": "slash", "c__slash__d": "raw", "e-f": "dash"},
        "user__dash__name": "raw",
        "my__own__name": "inner",
        "plain": "p",
    },
    "list": [{"a.b": "item", "a__dot__b": "raw"}, {"a.b": {"c.d": ["deep"]}}],
}
FAILS = "fails"


def of_claims(text: str, claims: dict[str, Any], *, escapes: bool = True) -> object:
    """What `text` comes to, `FAILS` when it comes to nothing."""
    environment = Environment({"claims": Kind.JSON_OBJECT}, escapes=escapes)
    expression, bound = environment.compile(text), environment.bind({"claims": claims})
    assert isinstance(expression, Expression), expression
    assert isinstance(bound, Bound), bound
    value = expression.evaluate(bound)
    return FAILS if isinstance(value, Failure) else value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claims.a__dot__b", "dot"),
        ("claims['a__dot__b']", "dot"),
        ("claims['a.b']", "dot"),
        ("claims.?a__dot__b.orValue('none')", "dot"),
        ("claims[?'a__dot__b'].orValue('none')", "dot"),
        ("has(claims.a__dot__b)", True),
        ("claims['a__dot' + '__b']", "dot"),
        ("claims[claims.key]", "dot"),
        ("claims[?claims.key].orValue('none')", "dot"),
        ("dyn(claims).a__dot__b", "dot"),
        (".claims.a__dot__b", "dot"),
        ("claims.user__dash__name", FAILS),
        ("has(claims.user__dash__name)", False),
        ("claims.?user__dash__name.orValue('none')", "none"),
        ("claims['user__dash__name']", FAILS),
        ("claims.p__underscores__q", "two underscores"),
        ("claims.p__q", "two underscores"),
        ("claims.my__own__name", FAILS),
        ("has(claims.my__own__name)", False),
        ("claims[claims.own]", FAILS),
        ("claims[?claims.own].orValue('none')", "none"),
        ("dyn(claims).my__own__name", FAILS),
        ("claims.x__if__", FAILS),
        ("claims.__if__", "reserved"),
        ("claims['if']", "reserved"),
        ("claims.a___dot__b", FAILS),
    ],
)
def test_of_a_variable_only_the_unescaped_name_is_looked_up(text: str, expected: object) -> None:
    """However a claim is written, and a name whose escapes are none is no claim's."""
    assert of_claims(text, CLAIMS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claims.map.a__dot__b.c__slash__d", "slash"),
        ("claims.map['a.b']['c/d']", "slash"),
        ("claims.map['a__dot__b'].e__dash__f", "dash"),
        ("claims.map.?a__dot__b.?e__dash__f.orValue('none')", "dash"),
        ("claims.map[claims.key].e__dash__f", "dash"),
        ("has(claims.map.a__dot__b.c__slash__d)", True),
        ("claims.map.user__dash__name", FAILS),
        ("has(claims.map.user__dash__name)", False),
        ("claims.map.my__own__name", "inner"),
        ("claims.map[claims.own]", "inner"),
        ("claims.map.plain", "p"),
        ("claims.map['pl' + 'ain']", "p"),
        ("claims.list[0].a__dot__b", "item"),
        ("claims.list[claims.place].a__dot__b", "item"),
        ("claims.list[?0].?a__dot__b.orValue('none')", "item"),
        ("claims.list[1].a__dot__b.c__dot__d[0]", "deep"),
        ("(has(claims.key) ? claims.map : claims.list[1]).a__dot__b.e__dash__f", "dash"),
        ("claims.?map.optMap(m, m.a__dot__b.e__dash__f).orValue('none')", "dash"),
        ("[claims.map][0].a__dot__b.e__dash__f", "dash"),
        ("[[claims.map]].map(m, m)[0][0].a__dot__b.e__dash__f", "dash"),
        ("[claims.map].exists(m, m.a__dot__b.e__dash__f == 'dash')", True),
        ("[0].map(i, claims.list[i])[0].a__dot__b", "item"),
        ("{'a__dot__b': claims.list}.a__dot__b[0].a__dot__b", "item"),
    ],
)
def test_the_same_holds_for_maps_and_lists_inside(text: str, expected: object) -> None:
    """Maps in maps and in lists, wherever they went; here a name whose escapes are none is the key itself."""
    assert of_claims(text, CLAIMS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dyn(claims.list).map(item, item.?a__dot__b.orValue('none'))", ["raw", "none"]),
        ("dyn(claims.list).filter(item, 'a.b' in item)[0].a__dot__b", "raw"),
        ("dyn(claims.list).all(claims, claims['a.b'] != '')", True),
        ("dyn(claims.list).exists(claims, claims.a__dot__b == 'raw')", True),
        ("{'a__dot__b': 'written', 'a.b': 'dot'}.a__dot__b", "written"),
        ("'user__dash__name' in claims.map", True),
        ("'user-name' in claims.map", False),
        ("size(claims.map)", 4),
        ("dyn(claims.map).exists(key, key == 'user__dash__name')", True),
        ("claims.key", "a__dot__b"),
    ],
)
def test_macros_and_literals_go_by_the_letter(text: str, expected: object) -> None:
    """What a macro goes through, what `in` and `size` see, and what the expression itself holds, stay as they are."""
    assert of_claims(text, CLAIMS) == expected


def test_without_escapes_names_are_names() -> None:
    """As in kube-apiserver's conditions on requests."""
    found = [of_claims(text, CLAIMS, escapes=False) for text in ("claims.a__dot__b", "claims[claims.key]")]

    assert ["named like an escape of a.b"] * 2 == found


def test_extras_are_found_by_escaped_names() -> None:
    """Also by those of a macro's variable; extras that are named like an escape cannot be reached."""
    user = Record("kubernetes.UserInfo", (("extra", Kind.STRING_LISTS),))
    environment = Environment({"user": user}, escapes=True)
    bound = environment.bind({"user": {"extra": {"x.org/a": ["right"], "x__dot__org/a": ["wrong"]}}})
    assert isinstance(bound, Bound)
    values = []
    for text in ("user.extra.x__dot__org__slash__a == ['right']", "user.extra.all(k, user.extra[k] == ['right'])"):
        expression = environment.compile(text)
        assert isinstance(expression, Expression)
        values.append(expression.evaluate(bound))

    assert values == [True, True]


@pytest.mark.parametrize("key", ["a.b", "if", "a__b", "a-b", "a__dot__b"])
def test_escapes_leave_values_as_they_are(key: str) -> None:
    """Every key of a deep claim may be one that has an escape: nothing is made of them, so it costs nothing."""
    value: object = "x"
    for _ in range(12):
        value = {key: value}

    assert of_claims("claims.?no__dot__such.orValue(claims.deep)", {"deep": value}) == value
