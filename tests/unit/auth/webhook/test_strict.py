from __future__ import annotations

import pytest

from controlplane.auth.webhook.strict import Defects, Fields, NotYamlError, document, go_duration, is_subdomain


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("10ns", 1e-8),
        ("-3s", -3.0),
        ("+3s", 3.0),
        ("", None),
        ("3", None),
        ("3 s", None),
        ("s", None),
        ("3d", None),
        (".s", None),
        ("1m3", None),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, seconds: float | None) -> None:
    """A number with a unit, any number of times; zero needs none."""
    actual = go_duration(text)

    assert actual == pytest.approx(seconds) if seconds is not None else actual is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", True), ("a-1.b", True), ("A", False), ("-a", False), ("a.", False), ("", False), ("a" * 254, False)],
)
def test_subdomains_are_recognised(text: str, expected: bool) -> None:
    """Lower-case labels with dots between them."""
    assert expected is is_subdomain(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "parsing"), ("{a: 1, a: 2}", 'key "a" already set in map'), ("a: 1\n---\nb: 1", "single")],
)
def test_what_is_not_one_yaml_document_is_refused(text: str, said: str) -> None:
    """Broken text, a key written twice and several documents are errors."""
    with pytest.raises(NotYamlError, match=said):
        document(text)


def test_fields_of_another_type_are_defects() -> None:
    """Each is said with its path, and reading goes on with nothing in its place."""
    defects = Defects()
    values = {"t": 1, "f": "yes", "s": "soon", "m": [], "l": {}, "i": [1], "odd": 1}
    fields = Fields(values, "top", ("t", "f", "s", "m", "l", "i"), defects)

    read = [
        fields.text("t"),
        fields.flag("f", default=True),
        fields.seconds("s", 2.0),
        fields.mapping("m", ()),
        fields.mappings("l", ()),
        fields.mappings("i", ()),
    ]

    assert ["", True, 2.0, None, [], []] == read
    assert [
        'strict decoding error: unknown field "top.odd"; remove it',
        "top.t: Invalid value: int: must be a string; write a string",
        "top.f: Invalid value: str: must be true or false; write true or false",
        'top.s: Invalid value: "soon": invalid duration; write one such as 500ms, 3s or 5m',
        "top.m: Invalid value: list: must be a mapping; write a mapping",
        "top.l: Invalid value: dict: must be a list; write a list",
        "top.i[0]: Invalid value: int: must be a mapping; write a mapping",
    ] == defects.lines


def test_null_is_absent() -> None:
    """A field that is null is as good as none."""
    defects = Defects()
    fields = Fields(dict.fromkeys("tfsml"), "", "tfsml", defects)

    read = [
        fields.text("t"),
        fields.flag("f", default=True),
        fields.seconds("s", 2.0),
        fields.mapping("m", ()),
        fields.mappings("l", ()),
    ]

    assert ["", True, 2.0, None, []] == read
    assert [] == defects.lines
