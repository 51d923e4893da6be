"""What a plain YAML scalar means.

In: the text of an unquoted scalar. Out: None, a bool, an int, a float, or the text itself. Law: YAML 1.2's core schema,
with the yes, no, on and off that kubectl takes for booleans; never a date and never a number to the base of 60, which
YAML 1.1 would make of an IPv6 address.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final[dict[str, bool | None]] = {
    form: value
    for word, value in {
        "null": None,
        "true": True,
        "yes": True,
        "on": True,
        "false": False,
        "no": False,
        "off": False,
    }.items()
    for form in (word, word.capitalize(), word.upper())
} | {"": None, "~": None}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*|0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_LIMIT: Final = 100
_MAY_BEGIN_NUMBER: Final = frozenset("0123456789+-.")


def resolve_plain(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    # A longer run of digits means nothing to any field, and Python takes quadratic time to read it.
    if text[0] not in _MAY_BEGIN_NUMBER or len(text) > _NUMBER_LIMIT:
        return text
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("+-")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        return int(text, 8 if octal else 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
