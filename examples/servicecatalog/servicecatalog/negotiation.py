"""Which representation of objects a client reads.

In goes an Accept header; out comes a Representation.
The law: the first clause of the highest quality that is served here wins (RFC 9110, section 12.5.1); an absent or
empty header accepts everything; when no clause is served the answer is 406.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from servicecatalog.status import not_acceptable

JSON: Final = "application/json"
DISCOVERY_V2: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_JSON_RANGES: Final = frozenset({"*/*", "application/*", JSON})


class Representation(Enum):
    """The forms in which an object, a list or a watch can be written."""

    OBJECT = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"


@dataclass(frozen=True, slots=True)
class _Clause:
    media_range: str
    parameters: dict[str, str]
    quality: float


def objects_as(accept: str, offered: frozenset[Representation]) -> Representation:
    """The form in which objects are written to this client, among the forms offered (OBJECT always is).

    Raises:
        StatusError: 406.
    """
    for clause in _clauses(accept):
        form = clause.parameters.get("as", "")
        if clause.media_range not in _JSON_RANGES:
            continue
        if not form:
            return Representation.OBJECT
        meta_v1 = clause.parameters.get("g") == "meta.k8s.io" and clause.parameters.get("v") == "v1"
        chosen = next((one for one in offered if one.value == form), None)
        if chosen is not None and meta_v1:
            return chosen
    raise not_acceptable(JSON)


def wants_discovery_v2(accept: str) -> bool:
    """Whether the client prefers the aggregated discovery document (v2) over the legacy one.

    Raises:
        StatusError: 406.
    """
    for clause in _clauses(accept):
        if clause.media_range not in _JSON_RANGES:
            continue
        form = clause.parameters.get("as", "")
        if not form:
            return False
        named = (form, clause.parameters.get("g"), clause.parameters.get("v"))
        if named == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"):
            return True
    raise not_acceptable(f"{JSON}, {DISCOVERY_V2}")


def _clauses(accept: str) -> list[_Clause]:
    if not accept.strip():
        return [_Clause("*/*", {}, 1.0)]
    clauses = [_clause(text) for text in accept.split(",") if text.strip()]
    return sorted((one for one in clauses if one.quality > 0), key=lambda one: -one.quality)


def _clause(text: str) -> _Clause:
    media_range, *rest = (part.strip() for part in text.split(";"))
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in (p.partition("=") for p in rest)}
    try:
        quality = float(parameters.pop("q", "1"))
    except ValueError:
        quality = 0.0
    return _Clause(media_range.lower(), parameters, quality)
