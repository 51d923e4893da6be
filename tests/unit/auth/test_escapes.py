from __future__ import annotations

import pytest
from steps import steps

from controlplane.auth.escapes import unescaped, unescaped_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("a=b_c=3D ", b"a=b_c=3D "),
        ("%41%3d%3D%25", b"A==%"),
        ("%2541", b"%41"),
        ("=%0D%0A=", b"=\r\n="),
        ("=\n%41=", b"=\nA="),
        ("\udcff%ff\u00e9", b"\xff\xff\xc3\xa9"),
    ],
)
def test_escapes_are_read_once(text: str, expected: bytes) -> None:
    """Nothing else is changed."""
    assert expected == unescaped(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, text)
            for text in ("%", "%4", "a%", "%=41", "%zz", "%\n", "%\r4", "%\r1\n", "%4\u0664", "%=", "%\n%\n")
        ),
        ("%%41", "%A"),
        ("%41%", "A%"),
        ("%41%\n", "A%\n"),
    ],
)
def test_a_percent_sign_that_begins_no_escape_is_found(text: str, expected: str) -> None:
    """As text it stands for itself, beside escapes that stand for something."""
    assert unescaped(text) is None
    assert expected == unescaped_text(text)


def test_what_is_not_utf8_is_replaced_in_text() -> None:
    """As Go's JSON encoder does."""
    assert "a\ufffdb\u00e9" == unescaped_text("%61%ffb%C3%A9")


def test_many_escapes_take_few_steps() -> None:
    """No escape is looked at by itself."""
    assert steps(lambda: unescaped_text("%41%zz" * 20_000)) < 50
