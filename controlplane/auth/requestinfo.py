"""What a request asks for, read from its method and path the way kube-apiserver reads them.

In: a method and a request target (raw path with query). Out: a `RequestInfo`, or the reason there is none.
Law: a path that `check_path` lets through has one reading: Envoy's routes, RBAC and a backend that decodes it once see
the same segments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from controlplane.auth.selector import exact_field, field_requirements, is_label_selector, label_requirements
from controlplane.model.identity import RequestInfo
from controlplane.model.selector import Requirement

# The characters of RFC 3986's pchar that need no escape, in segments that are neither empty nor only dots.
_PLAIN_PATH: Final = re.compile(r"/|(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9\-._~!$&'()*+,;=:@]+)+/?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOT_PRINTABLE_ASCII: Final = re.compile(r"[^\x21-\x7e]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SEPARATOR: Final = re.compile(r"%(?:2[Ff]|5[Cc])")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")

# How many leading segments choose the route, by the first one.
_ROUTE_SEGMENTS: Final = {"apis": 3, "api": 2, "openapi": 5}

_VERBS: Final = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH_VERBS: Final = frozenset({"proxy", "watch"})
_SELECTING_VERBS: Final = frozenset({"list", "watch", "deletecollection"})
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})
_INT64: Final = range(-(2**63), 2**63)


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
    if _PLAIN_PATH.fullmatch(path):
        return None
    return _spelling_defect(path) or _segment_defect(path)


def _spelling_defect(path: str) -> str | None:
    if not path.startswith("/"):
        return "does not begin with a slash"
    if _NOT_PRINTABLE_ASCII.search(path):
        return "holds a character that must be percent-encoded"
    if _BAD_ESCAPE.search(path):
        return "holds a percent sign that begins no escape"
    if "\\" in path or _ESCAPED_SEPARATOR.search(path):
        return "holds a backslash or an escaped slash"
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return "is not UTF-8 once decoded"
    if _CONTROL.search(decoded):
        return "holds an escaped control character"
    return None


def _segment_defect(path: str) -> str | None:
    segments = path.removesuffix("/").split("/")[1:]
    if "" in segments:
        return "holds an empty segment"
    if any(unquote(segment) in {".", ".."} for segment in segments):
        return "holds a dot segment"
    first = segments[0]
    if any("%" in segment for segment in segments[: _ROUTE_SEGMENTS.get(first, 1)]):
        return "holds an escape in a segment that chooses the API"
    return None


def request_info(method: str, target: str) -> RequestInfo | Unreadable:
    """The RequestInfo of a request, field by field as k8s.io/apiserver's RequestInfoFactory finds it.

    `target` is the raw path with its query; the path is percent-decoded once.
    """
    raw_path, _, query = target.partition("?")
    path = unquote(raw_path)
    parts = path.strip("/").split("/")
    group = ""
    if len(parts) >= 3 and parts[0] == "api":
        version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(is_resource_request=False, path=path, verb=method.lower())

    verb = _VERBS.get(method, "")
    verb_in_path = rest[0] in _PATH_VERBS
    if verb_in_path:
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
    if not name and verb == "get":
        verb, name = _list_or_watch(query)
    if not name and verb == "delete":
        verb = "deletecollection"
    # Paths with a verb in them do not all heed selectors, so none may narrow what is authorized.
    selecting = query and not verb_in_path and verb in _SELECTING_VERBS
    fields, labels = _selectors(query) if selecting else ((), ())
    return RequestInfo(
        is_resource_request=True,
        path=path,
        verb=verb,
        api_group=group,
        api_version=version,
        namespace=namespace,
        resource=rest[0],
        subresource=subresource,
        name=name,
        field_selector=fields,
        label_selector=labels,
    )


def parse_query(query: str) -> dict[str, list[str]]:
    """The values of each key, in order, as Go's url.ParseQuery gives them.

    Pairs with a semicolon or a malformed escape are dropped; a key without "=" has the value "".
    """
    values: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if not pair or ";" in pair or _BAD_ESCAPE.search(pair):
            continue
        key, _, value = pair.partition("=")
        values.setdefault(unquote(key.replace("+", " ")), []).append(unquote(value.replace("+", " ")))
    return values


def _list_or_watch(query: str) -> tuple[str, str]:
    """The verb ("list" or "watch") of a GET without a name, and the one name its field selector asks for, or ""."""
    if not query:
        return "list", ""
    first = {key: values[0] for key, values in parse_query(query).items()}
    watch = first.get("watch")
    options = all(_is_int64(first[key]) for key in ("limit", "timeoutSeconds") if key in first)
    field = exact_field(first.get("fieldSelector", ""), "metadata.name") if options else None
    # One option that does not parse makes the apiserver forget all but watch, which it then compares more narrowly.
    if field is None or not is_label_selector(first.get("labelSelector", "")):
        watching = watch is not None and watch.lower() not in {"false", "0"}
        return ("watch" if watching else "list"), ""
    watching = watch is not None and watch.casefold() not in {"false", "0"}
    name = field if field not in {".", ".."} and "/" not in field and "%" not in field else ""
    return ("watch" if watching else "list"), name


def _selectors(query: str) -> tuple[tuple[Requirement, ...], tuple[Requirement, ...]]:
    """What the field selector and the label selector require; one that does not parse narrows nothing."""
    if "elector" not in unquote(query):
        return (), ()
    first = {key: values[0] for key, values in parse_query(query).items()}
    return field_requirements(first.get("fieldSelector", "")) or (), label_requirements(first.get("labelSelector", ""))


def _is_int64(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and len(text) < 64 and int(text) in _INT64
