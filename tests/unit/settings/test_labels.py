"""Label selectors mean what they mean in Kubernetes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from controlplane.settings.labels import LabelSelector, label_key, label_value

LABELS = {"team": "shop", "example.com/tier": "", "zone": "a"}


def selector(**fields: object) -> LabelSelector:
    """A selector as YAML would give it."""
    return LabelSelector.model_validate(fields)


def requirement(key: str, operator: str, *values: str) -> dict[str, object]:
    """One entry of matchExpressions."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        (requirement("team", "In", "shop", "bank"), True),
        (requirement("team", "In", "bank"), False),
        (requirement("absent", "In", "shop"), False),
        (requirement("team", "NotIn", "bank"), True),
        (requirement("team", "NotIn", "bank", "shop"), False),
        (requirement("absent", "NotIn", "shop"), True),
        (requirement("example.com/tier", "In", ""), True),
        (requirement("absent", "In", ""), False),
        (requirement("example.com/tier", "Exists"), True),
        (requirement("absent", "Exists"), False),
        (requirement("team", "DoesNotExist"), False),
        (requirement("absent", "DoesNotExist"), True),
    ],
)
def test_an_expression_fits_as_in_kubernetes(entry: dict[str, object], fits: bool) -> None:
    """NotIn and DoesNotExist hold for an object without the label; the empty value is a value."""
    assert fits == selector(matchExpressions=[entry]).fits(LABELS)


def test_everything_that_is_listed_must_hold() -> None:
    """Both matchLabels and matchExpressions have to fit."""
    both = selector(matchLabels={"team": "shop", "zone": "a"}, matchExpressions=[requirement("team", "Exists")])

    assert [both.fits(LABELS), both.fits({**LABELS, "zone": "b"}), both.fits({"zone": "a"})] == [True, False, False]


@pytest.mark.parametrize("fields", [{}, {"matchLabels": {}}, {"matchExpressions": []}])
def test_the_empty_selector_takes_everything(fields: dict[str, object]) -> None:
    """What requires nothing is met by an object without labels too."""
    assert (True, True) == (selector(**fields).everything, selector(**fields).fits({}))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"matchLabels": {"-a": "b"}}, "'-a' is no label key: must be a name of at most 63 letters, digits"),
        ({"matchLabels": {"a": "b c"}}, "'b c' is no label value: must be empty or a text of at most 63 letters"),
        ({"matchExpressions": [requirement("a/", "Exists")]}, "'a/' is no label key"),
        ({"matchExpressions": [requirement("a", "In", "?")]}, "'?' is no label value"),
        ({"matchExpressions": [requirement("a", "In")]}, "In compares the label a with values and has none; list them"),
        ({"matchExpressions": [requirement("a", "Exists", "b")]}, "Exists asks for the label a alone; remove values"),
        ({"matchExpressions": [requirement("a", "Gt", "1")]}, "'In', 'NotIn', 'Exists' or 'DoesNotExist'"),
        ({"matchFields": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_selector_that_makes_no_sense_is_refused(fields: dict[str, object], sentence: str) -> None:
    """The complaint says what is wrong with which word."""
    with pytest.raises(ValidationError) as caught:
        selector(**fields)

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("a", True),
        ("A.b_c-9", True),
        ("example.com/a", True),
        ("x" * 63, True),
        ("x" * 64, False),
        (f"{'x' * 253}/a", True),
        (f"{'x' * 254}/a", False),
        ("", False),
        ("a.", False),
        ("Example.com/a", False),
        ("/a", False),
        ("a/b/c", False),
        ("a\n", False),
    ],
)
def test_label_keys_have_the_form_that_kubernetes_prescribes(key: str, good: bool) -> None:
    """An optional DNS prefix, a slash, and a name."""
    assert good == (label_key(key) == "")


@pytest.mark.parametrize(
    ("value", "good"),
    [("", True), ("A.b_c-9", True), ("x" * 63, True), ("x" * 64, False), ("-", False), ("a\n", False)],
)
def test_label_values_have_the_form_that_kubernetes_prescribes(value: str, good: bool) -> None:
    """Empty, or a name."""
    assert good == (label_value(value) == "")
