from __future__ import annotations

import pytest

from controlplane.auth.selector import exact_field, is_label_selector


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
