from __future__ import annotations

import pytest
from steps import MANY, steps

from controlplane.auth.selector import (
    exact_field,
    field_requirements,
    is_field_selector,
    is_label_selector,
    label_requirements,
)
from controlplane.model.selector import Requirement


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        "!a",
        "! a",
        "a=b",
        "a==b",
        "a!=b",
        " a = b , c ",
        "a==",
        "a!=",
        "a=,b",
        "a in (b,c)",
        "a in(b)",
        "a in ()",
        "a in (,)",
        "a notin (b,,c)",
        "in in (in)",
        "notin",
        "a>1",
        "a<5",
        "x.y/z=v",
        "a" * 63,
        "p" * 253 + "/a",
    ],
)
def test_label_selectors_are_recognised(text: str) -> None:
    """What Kubernetes parses as a label selector is one."""
    actual = is_label_selector(text)

    assert actual is True


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "a,",
        ",a",
        "a,,b",
        "a b",
        "a=b c",
        "a inn (b)",
        "a in b",
        "a in (b",
        "a=!b",
        "!a=b",
        "a = = b",
        "a=(b)",
        "a>x",
        "a>-1",
        "a>",
        "a>99999999999999999999",
        "X/y=z",
        "/a=b",
        "a/=b",
        "a_b/c",
        "-a=b",
        "a=-b",
        "a" * 64,
        "a=" + "b" * 64,
        "p" * 254 + "/a",
        "é=b",
    ],
)
def test_other_texts_are_no_label_selectors(text: str) -> None:
    """What Kubernetes refuses as a label selector is none."""
    actual = is_label_selector(text)

    assert actual is False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("metadata.name=x", "x"),
        ("metadata.name==x", "x"),
        ("metadata.name!=x", ""),
        ("metadata.name=", ""),
        ("metadata.name=x,", "x"),
        ("a=b,metadata.name=x", "x"),
        ("metadata.name=y,metadata.name=x", "x"),
        ("metadata.name=y,metadata.name==x", "x"),
        (r"a\,b=c,metadata.name=x", "x"),
        (r"metadata.name=a\=b\,c\\d", r"a=b,c\d"),
        (" metadata.name=x", ""),
        (r"a=\\,metadata.name=x", "x"),
        (r"a=b\,metadata.name", ""),
        (r"a=\\\,metadata.name", ""),
        (r"metadata.name=\\,metadata.name=A", "A"),
        (r"metadata.name\=x,metadata.name=y", "y"),
        ("metadata.name==,metadata.name=0", "0"),
        ("metadata.names=x,xmetadata.name=y", ""),
        (r"a\!=b,!a=c,a\==d,a!!=e", ""),
    ],
)
def test_the_value_a_field_must_have_is_found(text: str, value: str) -> None:
    """The first required value in the order of the terms is the one that counts, unescaped."""
    actual = exact_field(text, "metadata.name")

    assert value == actual


@pytest.mark.parametrize(
    "text",
    ["x", "metadata.name=x,y", "metadata.name=a=b", r"metadata.name=a\b", "metadata.name=a\\", "metadata.name===x"],
)
def test_other_texts_are_no_field_selectors(text: str) -> None:
    """A term without an operator, or with an unescaped or unknown escape in its value, spoils the whole selector."""
    actual = exact_field(text, "metadata.name")

    assert actual is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a", (("a", "Exists", ()),)),
        ("! a", (("a", "DoesNotExist", ()),)),
        ("a=b", (("a", "In", ("b",)),)),
        (" a == b ", (("a", "In", ("b",)),)),
        ("a!=b", (("a", "NotIn", ("b",)),)),
        ("a=", (("a", "In", ("",)),)),
        ("a=,b", (("a", "In", ("",)), ("b", "Exists", ()))),
        ("a in (c, b,c)", (("a", "In", ("b", "c")),)),
        ("a notin(b,,c)", (("a", "NotIn", ("", "b", "c")),)),
        ("a in ()", (("a", "In", ("",)),)),
        ("in in (in),notin", (("in", "In", ("in",)), ("notin", "Exists", ()))),
        ("z,x.y/a=b,!m", (("m", "DoesNotExist", ()), ("x.y/a", "In", ("b",)), ("z", "Exists", ()))),
        ("a=2,a=1", (("a", "In", ("2",)), ("a", "In", ("1",)))),
        ("a>1,b<2,c", (("c", "Exists", ()),)),
        ("a b", ()),
    ],
)
def test_the_requirements_of_a_label_selector_are_found(
    text: str, expected: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> None:
    """They come sorted by key, values sorted and each once; comparisons and what does not parse require nothing."""
    actual = label_requirements(text)

    assert tuple(Requirement(*each) for each in expected) == actual


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("b=2,a!=1", (("a", "NotIn", ("1",)), ("b", "In", ("2",)))),
        (r"a==x\,y", (("a", "In", ("x,y",)),)),
        ("a=", (("a", "In", ("",)),)),
        ("a=1,", (("a", "In", ("1",)),)),
        ("=,!=,==,=b", (("", "In", ("b",)),)),
        ("a=1,b", ()),
    ],
)
def test_the_requirements_of_a_field_selector_are_found(
    text: str, expected: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> None:
    """They come in the order of the terms; a bare operator requires nothing, and a broken term leaves none of them."""
    actual = field_requirements(text)

    assert tuple(Requirement(*each) for each in expected) == actual


@pytest.mark.parametrize("text", ["a in (" + "  ,\t" * 3000 + "!", "a=  ," * 3000 + "!!", "a" + " " * 30000 + "!"])
def test_no_selector_takes_long(text: str) -> None:
    """A selector that almost parses is refused after one look: ways to go back would double with every element."""
    assert not is_label_selector(text)


def test_of_a_selector_with_very_many_terms_none_is_told() -> None:
    """Each would take whoever is told far more than it takes to write; the selector is one all the same."""
    fields, labels = ("".join(f"{part}," for _ in range(1024)) for part in ("a=1", "a"))

    assert 1024 == len(field_requirements(fields))
    assert is_field_selector(f"{fields},")
    assert () == field_requirements(f"{fields},")
    assert 1025 == len(label_requirements(f"{labels}a"))
    assert is_label_selector(f"{labels}a,a")
    assert () == label_requirements(f"{labels}a,a")


@pytest.mark.parametrize("part", ["a=1,", r"\\", r"\,", "!", "=", "metadata.name=,", r"metadata.name=\\,"])
def test_a_field_selector_takes_few_steps(part: str) -> None:
    """However many terms and escapes it has."""
    text = f"metadata.name=x,a{part * 20_000}"

    assert steps(lambda: exact_field(text, "metadata.name")) < MANY
    assert steps(lambda: field_requirements(text)) < MANY
    assert steps(lambda: is_label_selector(text)) < MANY
