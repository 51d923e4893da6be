from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_cases import BASES

from controlplane.resources.decode import decode, read_json
from controlplane.resources.schemas import SCHEMAS

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "rules", "labels", "verbs", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_JSON.filter(lambda value: isinstance(value, dict)))
def test_decoding_what_was_decoded_changes_nothing(value: dict[str, object]) -> None:
    """A decoded object is in its normal form, whatever it was decoded from."""
    once = decode(value, SCHEMAS["Role"]).object

    assert once == decode(once, SCHEMAS["Role"]).object
    assert () == decode(once, SCHEMAS["Role"]).strict


@pytest.mark.parametrize("kind", list(BASES))
def test_every_kind_decodes(kind: str) -> None:
    """A plain object of each kind has no error and no unknown field."""
    decoded = decode(BASES[kind], SCHEMAS[kind])

    assert ("", ()) == (decoded.error, decoded.strict)


def test_unknown_and_repeated_fields_are_told_with_their_paths() -> None:
    """Strict errors name the field as the Kubernetes API does."""
    text = '{"rules": [{"verbs": [], "bogus": 1}], "extra": {}, "metadata": {"labels": {"a": "1", "a": "2"}}}'
    decoded = decode(read_json(text), SCHEMAS["Role"])

    expected = ('unknown field "rules[0].bogus"', 'unknown field "extra"', 'duplicate field "metadata.labels.a"')
    assert expected == decoded.strict
    assert {"a": "2"} == decoded.object["metadata"]["labels"]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"rules": {}}, "json: cannot unmarshal object into Go struct field Role.rules of type []v1.PolicyRule"),
        (
            {"rules": [{"verbs": [1]}]},
            "json: cannot unmarshal number into Go struct field PolicyRule.rules.verbs of type string",
        ),
        (
            {"metadata": {"generation": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
    ],
)
def test_the_first_type_error_is_told(value: dict[str, object], error: str) -> None:
    """A field of the wrong type is told as Go's decoder tells it."""
    assert error == decode(value, SCHEMAS["Role"]).error


def test_a_decoded_secret_is_in_no_repr() -> None:
    """What a Secret holds does not show when a decoding is printed."""
    assert "aGlkZGVu" not in repr(decode({"data": {"a": "aGlkZGVu"}}, SCHEMAS["Secret"]))


def test_nothing_but_json_is_read() -> None:
    """NaN is not JSON."""
    with pytest.raises(ValueError, match="NaN is not JSON"):
        read_json("[NaN]")
