from __future__ import annotations

import pytest

from controlplane.sources.scalars import resolve_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("True", True),
        ("yes", True),
        ("OFF", False),
        ("n", "n"),
        ("443", 443),
        ("-1", -1),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("0b101", 5),
        ("08", 8.0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("v1", "v1"),
        ("10.0.0.1", "10.0.0.1"),
        ("-", "-"),
        ("2026-01-01", "2026-01-01"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("9" * 101, "9" * 101),
    ],
)
def test_a_plain_scalar_means_what_kubectl_takes_it_for(text: str, value: object) -> None:
    """Words, numbers and texts are told apart as kubectl does; dates and base-60 numbers stay text."""
    resolved = resolve_plain(text)

    assert (type(value), value) == (type(resolved), resolved)
