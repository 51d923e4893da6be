"""A JSON Web Token in its compact form, taken apart.

In: a bearer token. Out: its parts, or None: no token of this kind. Law: nothing here is verified, and says so; no part
of a token is in any repr.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
LONGEST: Final = 64 * 1024
"""The most characters of a bearer token."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """The parts of a token whose signature nobody has looked at; `signed` are the bytes that `signature` is for."""

    algorithm: str
    key_id: str
    issuer: str
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def unverified(token: str, longest: int = LONGEST) -> Unverified | None:
    """The parts of `token`; None when it is no JWS of three parts with JSON objects, names no issuer or is too long.

    A header that demands extensions (`crit`) is of no kind that is understood here.
    """
    parts = token.split(".") if len(token) <= longest else []
    if len(parts) != 3:
        return None
    header, claims, signature = _object(parts[0]), _object(parts[1]), _bytes(parts[2])
    if header is None or claims is None or signature is None or "crit" in header:
        return None
    # To Go's decoder null is the empty string.
    key_id = "" if header.get("kid") is None else header["kid"]
    algorithm, issuer = header.get("alg"), claims.get("iss")
    if not (isinstance(algorithm, str) and isinstance(key_id, str) and isinstance(issuer, str)):
        return None
    return Unverified(algorithm, key_id, issuer, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def _object(part: str) -> dict[str, Any] | None:
    data = _bytes(part)
    try:
        # It refuses what is not UTF-8, lone surrogates, NaN and endless nesting.
        value = orjson.loads(data) if data is not None else None
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _bytes(part: str) -> bytes | None:
    if _BASE64URL.fullmatch(part) is None:
        return None
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
