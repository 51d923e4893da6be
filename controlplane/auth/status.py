"""Refusals: the Status objects that kube-apiserver answers with, as JSON.

In: what was refused. Out: a denying `Decision` with code, headers and body. Law: byte for byte what kube-apiserver's
compact JSON would be, so that every client reads it as such.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import orjson

from controlplane.model.identity import Decision, RequestInfo, UserInfo

_JSON: Final = (("content-type", "application/json"), ("cache-control", "no-cache, private"))
_JSON_NOSNIFF: Final = (*_JSON, ("x-content-type-options", "nosniff"))
# From the first character that may need an escape to the last.
_NOT_PLAIN: Final = re.compile(r"[^ !#-\[\]-~](?:.*[^ !#-\[\]-~])?", re.DOTALL)
# Who writes nothing but what must be escaped shall not take the time of everybody.
_CHARACTERS_KEPT: Final = 4096
# What Go's encoder never leaves as it is in a string.
_ESCAPED_IN_JSON: Final = "&<>\u2028\u2029"
_ESCAPES: Final = {
    "\\": "\\\\",
    '"': '\\"',
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def unauthorized() -> Decision:
    """401: nobody was recognised."""
    return _denied(401, "Unauthorized", "Unauthorized")


def forbidden(user: UserInfo, info: RequestInfo, reason: str = "") -> Decision:
    """403: `user` may not do what `info` asks for; `reason` is appended."""
    message = _without_markup(_cannot(user, info))
    if reason:
        message = f"{message}: {reason}"
    return _denied(
        403,
        "Forbidden",
        f"{_what(info)}forbidden: {message}",
        {"name": info.name, "group": info.api_group, "kind": info.resource},
        headers=_JSON_NOSNIFF,
    )


def bad_request(message: str) -> Decision:
    """400: the request itself is wrong; `message` says how."""
    return _denied(400, "BadRequest", message, headers=_JSON_NOSNIFF)


def internal_error(message: str) -> Decision:
    """500: no decision could be made."""
    return _denied(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
        headers=_JSON_NOSNIFF,
    )


def unavailable(message: str, retry_after: int) -> Decision:
    """503: no decision can be made yet; `retry_after` is in seconds."""
    headers = (*_JSON_NOSNIFF, ("retry-after", str(retry_after)))
    return _denied(503, "ServiceUnavailable", message, {"retryAfterSeconds": retry_after}, headers=headers)


def go_quoted(text: str) -> str:
    """`text` in double quotes, escaped as Go's %q verb does."""
    return f'"{_NOT_PLAIN.sub(_quoted, text)}"'


def _quoted(found: re.Match[str]) -> str:
    return "".join(map(_quoted_character, found[0]))


@lru_cache(maxsize=_CHARACTERS_KEPT)
def _quoted_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cannot(user: UserInfo, info: RequestInfo) -> str:
    who = f"User {go_quoted(user.name)} cannot {info.verb}"
    if not info.is_resource_request:
        return f"{who} path {go_quoted(info.path)}"
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    scope = f"in the namespace {go_quoted(info.namespace)}" if info.namespace else "at the cluster scope"
    return f"{who} resource {go_quoted(resource)} in API group {go_quoted(info.api_group)} {scope}"


def _what(info: RequestInfo) -> str:
    if not info.resource and not info.api_group:
        return ""
    resource = f"{info.resource}.{info.api_group}" if info.api_group else info.resource
    return f"{resource} {go_quoted(info.name)} is " if info.name else f"{resource} is "


def _without_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _denied(
    code: int,
    reason: str,
    message: str,
    details: dict[str, object] | None = None,
    headers: tuple[tuple[str, str], ...] = _JSON,
) -> Decision:
    status: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details is not None:
        status["details"] = {key: value for key, value in details.items() if value}
    status["code"] = code
    body = orjson.dumps(status)
    # JSON has these only inside of strings.
    for character in _ESCAPED_IN_JSON:
        body = body.replace(character.encode(), f"\\u{ord(character):04x}".encode())
    return Decision(status=code, body=body + b"\n", headers=headers)
