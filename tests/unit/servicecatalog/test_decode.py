"""Bodies: what is read, and what is refused."""

import pytest
from servicecatalog.decode import MAX_DEPTH, decode, parse_count, parse_flag
from servicecatalog.status import StatusError

TYPES = ("application/json", "application/yaml")


def test_json_and_yaml_give_the_same_value() -> None:
    """Both formats decode to JSON values; a YAML date stays text."""
    from_json = decode("application/json; charset=utf-8", b'{"a": {"b": [1, "2030-01-01"]}}', TYPES)
    from_yaml = decode("application/yaml", b"a:\n  b: [1, 2030-01-01]\n", TYPES)

    assert from_json.value == from_yaml.value == {"a": {"b": [1, "2030-01-01"]}}


def test_json_is_read_as_yaml() -> None:
    """A client may send JSON where YAML is expected, escapes beyond the basic plane included."""
    decoded = decode("application/yaml", b'{"a": "\\ud83d\\ude00"}', TYPES)

    assert decoded.value == {"a": "\U0001f600"}


def test_duplicate_fields_are_named() -> None:
    """A key given twice in one JSON object is reported by path, and its last value counts."""
    decoded = decode("", b'{"a": [{"b": 1, "b": 2}], "a": [{"b": 3, "b": 4}]}', TYPES)

    assert decoded.value == {"a": [{"b": 4}]}
    assert decoded.duplicates == ("a", "a[0].b")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/json", b"NaN"),
        ("application/json", b'{"a": "\\ud800"}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)),
        ("application/yaml", b"a: ["),
        ("application/yaml", b"a: &x [1]\nb: *x"),
        ("application/yaml", b"!!python/object:os.system x"),
        ("application/yaml", b"1: 2"),
        ("application/yaml", b"[\n" * 100_000),
    ],
)
def test_an_unreadable_body_is_a_bad_request(content_type: str, body: bytes) -> None:
    """Broken, bottomless and executable bodies all end in 400."""
    with pytest.raises(StatusError) as caught:
        decode(content_type, body, TYPES)

    assert caught.value.code == 400


def test_another_media_type_is_unsupported() -> None:
    """A body in another format is 415, and the reply lists what is read."""
    with pytest.raises(StatusError, match="application/json, application/yaml") as caught:
        decode("text/plain", b"{}", TYPES)

    assert caught.value.code == 415


@pytest.mark.parametrize(
    ("text", "value"), [(None, False), ("", True), ("1", True), ("true", True), ("false", False), ("0", False)]
)
def test_a_flag_is_true_unless_it_says_otherwise(text: str | None, *, value: bool) -> None:
    """An absent flag is false, and a bare one true."""
    assert parse_flag(text) is value


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "٣", "1" * 19])
def test_a_count_is_a_number(text: str) -> None:
    """Anything but a non-negative 64-bit integer is 400."""
    with pytest.raises(StatusError) as caught:
        parse_count("limit", text)

    assert caught.value.code == 400
