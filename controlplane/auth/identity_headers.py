"""The headers that tell a backend who asks.

In: an authenticated user. Out: header lines, one a group and one an extra value, as client-go's proxy transport sends
them. Law: what is written is read back by the backend as the very same identity, or nothing is written.
"""

from __future__ import annotations

import re
from typing import Final

from controlplane.model.identity import UserInfo

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# RFC 9110 tokens without "%", which begins an escape.
_KEY_BYTES: Final = frozenset(b"!#$&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def unfit(value: str) -> str | None:
    """The reason why a header cannot carry `value` unchanged, or None; it completes "the value ..."."""
    if _CONTROL.search(value):
        return "holds a control character"
    # HTTP drops spaces around a value: " system:masters" would reach the backend as "system:masters".
    if value != value.strip(" "):
        return "begins or ends with a space"
    return None


def identity_headers(user: UserInfo) -> tuple[tuple[str, str], ...]:
    """The lines (lower-case name, value) in which a backend is told of `user`; empty values are left out.

    Raises:
        ValueError: when the user has no name, or a value that a header cannot carry; the value is not in the text.
    """
    if not user.name:
        raise ValueError("a user without a name has no identity headers")
    lines = [("x-remote-user", user.name)]
    if user.uid:
        lines.append(("x-remote-uid", user.uid))
    lines.extend(("x-remote-group", group) for group in user.groups if group)
    lines.extend((f"x-remote-extra-{_escaped(key)}", value) for key, values in user.extra for value in values)
    for name, value in lines:
        reason = unfit(value)
        if reason is not None:
            raise ValueError(f"the value of {name} {reason}")
    return tuple(lines)


def _escaped(key: str) -> str:
    return "".join(chr(byte) if byte in _KEY_BYTES else f"%{byte:02X}" for byte in key.encode()).lower()
