"""Requests that Envoy looks up no verdict for, however far the decision on them reaches.

In: a method, a normalised target, and headers. Out: why Envoy asks about every such request. Law: the same requests as
in `envoy/lua/arrival.lua` and `verdicts.lua`, which leave out whatever has more than one reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})
_READ: Final = frozenset({"GET", "HEAD"})
_LONGEST: Final = 512
_LONGEST_CREDENTIAL: Final = 8192
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9\-._~:]+)+")
_READABLE: Final = re.compile(r"[!-~]+")
_KEY: Final = re.compile(r"[A-Za-z]+")
_DOTS: Final = frozenset({".", ".."})
_DEEDS: Final = frozenset({"watch", "proxy"})
_OF_NAMESPACES: Final = frozenset({"status", "finalize"})
_TRUE: Final = frozenset({"true", "1"})


def why_asked(method: str, target: str, headers: Iterable[tuple[str, str]] = ()) -> str:
    """Why Envoy remembers nothing of a request, "" when it does; names of headers are in lower case."""
    if method not in _METHODS:
        return f"Envoy asks about every {method} request"
    for name, value in headers:
        if name == "sec-websocket-protocol" or name.startswith("impersonate"):
            return f"Envoy asks about every request with the header {name}"
        if name == "authorization" and len(value) > _LONGEST_CREDENTIAL:
            return f"Envoy asks about every request with a token longer than {_LONGEST_CREDENTIAL} bytes"
    if len(target) > _LONGEST:
        return f"Envoy asks about every request whose path and query are longer than {_LONGEST} bytes"
    path, _, query = target.partition("?")
    segments = path.split("/")[1:]
    unread = _READABLE.fullmatch(target) is None or not {"#", ";"}.isdisjoint(target)
    if unread or _PLAIN.fullmatch(path) is None or not _DOTS.isdisjoint(segments):
        return "Envoy asks about every request whose path or query could be read in two ways"
    rest = _of_resource(segments)
    if rest is None:
        return ""
    if rest[0] in _DEEDS:
        return f"Envoy asks about every request under /{rest[0]}/"
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACES:
        rest = rest[2:]
    if len(rest) == 1 and method in _READ and not _is_list_or_watch(query):
        return "Envoy asks about every list and watch with such a query"
    return ""


def _of_resource(segments: list[str]) -> list[str] | None:
    """The segments after the version; None of a path that is no resource."""
    at = {"api": 2, "apis": 3}.get(segments[0], len(segments))
    return segments[at:] or None


def _is_list_or_watch(query: str) -> bool:
    """Whether nothing in the query can make it anything else."""
    watches = 0
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not equals or _KEY.fullmatch(key) is None or key == "fieldSelector":
            return False
        if key == "watch":
            watches += 1
            if watches > 1 or value not in _TRUE:
                return False
    return True
