"""What a request asks for, read from its method and path the way kube-apiserver reads them.

In: a method and a request target (raw path with query). Out: a `RequestInfo`, or the reason there is none.
Law: a path that `check_path` lets through has one reading: Envoy's routes, RBAC and a backend that decodes it once see
the same segments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from controlplane.auth.escapes import unescaped, unescaped_text
from controlplane.auth.selector import exact_field, is_label_selector
from controlplane.model.identity import RequestInfo

# The characters of RFC 3986's pchar that need no escape.
_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_PRINTABLE_ASCII: Final = re.compile(r"[^\x21-\x7e]")
_DOT_SEGMENT: Final = re.compile(r"/(?:\.|%2[Ee]){1,2}+(?=/|\Z)")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")

# How many leading segments choose the route, by the first one.
_ROUTE_SEGMENTS: Final = {"apis": 3, "api": 2, "openapi": 5}
# /apis/GROUP/VERSION/watch/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE
_MOST_SEGMENTS: Final = 9

_VERBS: Final = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH_VERBS: Final = frozenset({"proxy", "watch"})
_NOT_WATCHING: Final = frozenset({"false", "0"})
_NAME_FIELD: Final = "metadata.name"
# What a verb is called where no object is named.
_COLLECTION_VERBS: Final = {"get": "list", "delete": "deletecollection"}
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})
_INT64: Final = range(-(2**63), 2**63)
_OPTIONS: Final = ("fieldSelector", "labelSelector", "watch", "limit", "timeoutSeconds")


def _spelt(option: str) -> str:
    """A pattern of the ways to write an option, any of its characters as an escape."""
    return "".join(f"(?:{character}|%(?i:{ord(character):02x}))" for character in option)


_OPTION: Final = re.compile(
    rf"&(?=[%flwt])(?:{'|'.join(f'(?P<{option}>{_spelt(option)})' for option in _OPTIONS)})"
    r"(?=(?:=(?:[^&;%]++|%[0-9A-Fa-f]{2})*+)?+(?:&|\Z))"
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request for which there is no RequestInfo; `reason` is kube-apiserver's sentence for it."""

    reason: str


def check_path(raw_path: str) -> str | None:
    """The reason why a request target must be refused, or None when its path has one reading.

    `raw_path` is the path as it was sent, with or without query. The reason completes the sentence "the path ..." and
    never repeats the path.
    """
    path, _, _ = raw_path.partition("?")
    if "#" in raw_path:
        return "holds a fragment"
    if _CONTROL.search(raw_path):
        return "holds a control character"
    # No segment is empty, and none begins with a dot.
    if _PLAIN_PATH.fullmatch(path) and "//" not in path and "/." not in path:
        return None
    return _spelling_defect(path) or _segment_defect(path)


def _spelling_defect(path: str) -> str | None:
    if not path.startswith("/"):
        return "does not begin with a slash"
    if _NOT_PRINTABLE_ASCII.search(path):
        return "holds a character that must be percent-encoded"
    read = unescaped(path)
    if read is None:
        return "holds a percent sign that begins no escape"
    if b"\\" in read or read.count(b"/") > path.count("/"):
        return "holds a backslash or an escaped slash"
    try:
        decoded = read.decode()
    except UnicodeDecodeError:
        return "is not UTF-8 once decoded"
    if _CONTROL.search(decoded):
        return "holds an escaped control character"
    return None


def _segment_defect(path: str) -> str | None:
    if "//" in path:
        return "holds an empty segment"
    if _DOT_SEGMENT.search(path):
        return "holds a dot segment"
    segments = path[1:].split("/", max(_ROUTE_SEGMENTS.values()))
    if any("%" in segment for segment in segments[: _ROUTE_SEGMENTS.get(segments[0], 1)]):
        return "holds an escape in a segment that chooses the API"
    return None


def request_info(method: str, target: str) -> RequestInfo | Unreadable:
    """The RequestInfo of a request, field by field as k8s.io/apiserver's RequestInfoFactory finds it.

    `target` is the raw path with its query; the path is percent-decoded once.
    """
    asked = asked_by_path(method, target)
    return asked if isinstance(asked, Unreadable) else heeding_query(asked, target)


def asked_by_path(method: str, target: str) -> RequestInfo | Unreadable:
    """The RequestInfo that the request would have without its query."""
    path = unescaped_text(target.partition("?")[0])
    parts = path.strip("/").split("/", _MOST_SEGMENTS)
    group = ""
    if len(parts) >= 3 and parts[0] == "api":
        version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(is_resource_request=False, path=path, verb=method.lower())

    verb = _VERBS.get(method, "")
    if rest[0] in _PATH_VERBS:
        if len(rest) < 2:
            return Unreadable(f"unable to determine kind and namespace from url, {target}")
        verb, rest = rest[0], rest[1:]

    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]

    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 and verb != "proxy" else ""
    return RequestInfo(
        is_resource_request=True,
        path=path,
        verb=verb if name else _COLLECTION_VERBS.get(verb, verb),
        api_group=group,
        api_version=version,
        namespace=namespace,
        resource=rest[0],
        subresource=subresource,
        name=name,
    )


def heeding_query(asked: RequestInfo, target: str) -> RequestInfo:
    """The RequestInfo of the request for `target`, of which the path asks for what `asked` says."""
    # A path with a verb in it never has these; not all such paths heed selectors, so none may narrow what is asked.
    if not asked.is_resource_request or asked.verb not in _COLLECTION_VERBS.values():
        return asked
    query = target.partition("?")[2]
    if not query:
        return asked
    options = _options(query)
    verb, name = _list_or_watch(options) if asked.verb == "list" else (asked.verb, "")
    return replace(
        asked,
        verb=verb,
        name=name,
        field_selector=options.get("fieldSelector", ""),
        label_selector=options.get("labelSelector", ""),
    )


def _options(query: str) -> Mapping[str, str]:
    """The first value of each option that is heeded here, as Go's url.ParseQuery gives it.

    Pairs with a semicolon or a malformed escape are dropped; a key without "=" has the value "".
    """
    pairs = f"&{query}"
    found: dict[str, str] = {}
    for match in _OPTION.finditer(pairs):
        option = match.lastgroup or ""
        if option not in found:
            value = pairs[match.end() : _end(pairs, match.end())].removeprefix("=")
            found[option] = unescaped_text(value.replace("+", " "))
            if len(found) == len(_OPTIONS):
                break
    return found


def _end(pairs: str, begin: int) -> int:
    """Where the pair ends of which there is a part at `begin`."""
    end = pairs.find("&", begin)
    return len(pairs) if end < 0 else end


def _list_or_watch(options: Mapping[str, str]) -> tuple[str, str]:
    """The verb ("list" or "watch") of a GET without a name, and the one name its field selector asks for, or ""."""
    watch, fields = options.get("watch"), options.get("fieldSelector", "")
    narrow = "list" if watch is None or watch.lower() in _NOT_WATCHING else "watch"
    wide = "list" if watch is None or watch.casefold() in _NOT_WATCHING else "watch"
    # Parsing the selectors would tell nothing else.
    if narrow == wide and _NAME_FIELD not in fields:
        return wide, ""
    # One option that does not parse makes the apiserver forget all but watch, which it then compares more narrowly.
    if not all(_is_int64(options[key]) for key in ("limit", "timeoutSeconds") if key in options):
        return narrow, ""
    name = exact_field(fields, _NAME_FIELD)
    if name is None or not is_label_selector(options.get("labelSelector", "")):
        return narrow, ""
    return wide, name if name not in {".", ".."} and "/" not in name and "%" not in name else ""


def _is_int64(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and len(text) < 64 and int(text) in _INT64
