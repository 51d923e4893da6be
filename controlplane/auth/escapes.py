"""Percent-escapes (RFC 3986, 2.1), read in one go however many there are.

In: a text. Out: what it stands for. Law: the time it takes grows with the length of the text, and by little.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import Final

_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def unescaped(text: str) -> bytes | None:
    """The bytes that `text` stands for, None when a percent sign in it begins no escape.

    Surrogates in it (U+DC80 to U+DCFF) are bytes that were not UTF-8.
    """
    data = text.encode(errors="surrogateescape")
    escapes = data.count(b"%")
    if not escapes:
        return data
    if b"%\n" in data or b"%\r" in data:
        return None
    # Quoted-printable (RFC 2045, 6.7) is the same with another sign, and is read without a step for each escape. Of
    # an escape two bytes go; of what only looks like one, fewer.
    read = a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))
    return read if len(read) == len(data) - 2 * escapes else None


def unescaped_text(text: str) -> str:
    """The same as text: a percent sign that begins no escape stands for itself, and U+FFFD for what is not UTF-8."""
    if "%" not in text:
        return text
    read = unescaped(text)
    if read is None:
        return unescaped_text(_BROKEN.sub("%25", text))
    return read.decode(errors="replace")
