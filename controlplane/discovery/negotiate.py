"""Which form of a discovery document a client takes, as kube-apiserver reads Accept.

In: the text of a header. Out: whether it asks for aggregated discovery, takes plain JSON, takes gzip. Law: only JSON is
served; a clause that asks for what is not served is passed over, never half obeyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

AGGREGATED_CONTENT_TYPE: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_GROUP: Final = "apidiscovery.k8s.io"
_KIND: Final = "APIGroupDiscoveryList"
_CONVERSION: Final = frozenset({"g", "v", "as"})


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range, lower case, with its parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def media_type(text: str) -> MediaType:
    """Reads one media type (RFC 9110 section 8.3.1); parameters without a value are dropped."""
    name, *pairs = text.split(";")
    parameters = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if value.strip():
            parameters[key.strip().lower()] = value.strip().strip('"')
    return MediaType(name.strip().lower(), MappingProxyType(parameters))


def is_aggregated(content_type: str) -> bool:
    """True for the Content-Type of an aggregated discovery document, v2 or v2beta1 (backends may still send that)."""
    found = media_type(content_type)
    return found.name == "application/json" and _target(found) in {
        (_GROUP, "v2", _KIND),
        (_GROUP, "v2beta1", _KIND),
    }


def asks_for_aggregated(accept: str) -> bool:
    """True when an Accept header asks for aggregated discovery, v2.

    As in kube-apiserver, it is served wherever a clause asks for it, whatever stands beside it: a plain
    application/json is how clients say what to fall back to. v2beta1 is gone since 1.35.
    """
    return any(_target(clause) == (_GROUP, "v2", _KIND) for clause in _json_clauses(accept))


def accepts_json(accept: str) -> bool:
    """True when a plain JSON document will do."""
    return not accept.strip() or any(not _CONVERSION & clause.parameters.keys() for clause in _json_clauses(accept))


def accepts_gzip(accept_encoding: str) -> bool:
    """True when an Accept-Encoding header allows gzip."""
    codings = [media_type(coding) for coding in accept_encoding.split(",")]
    return any(coding.name in {"gzip", "*"} and _quality(coding) > 0 for coding in codings)


def _json_clauses(accept: str) -> list[MediaType]:
    clauses = [media_type(clause) for clause in accept.split(",")]
    ranges = {"application/json", "application/*", "*/*", "*"}
    # A stream of watch events or a fixed server version is something else than a document.
    return [
        clause
        for clause in clauses
        if clause.name in ranges and _quality(clause) > 0 and not {"stream", "sv"} & clause.parameters.keys()
    ]


def _target(clause: MediaType) -> tuple[str, str, str]:
    parameters = clause.parameters
    return parameters.get("g", ""), parameters.get("v", ""), parameters.get("as", "")


def _quality(clause: MediaType) -> float:
    try:
        return float(clause.parameters.get("q", "1"))
    except ValueError:
        return 0.0
