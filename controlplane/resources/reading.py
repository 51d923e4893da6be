"""What a client sent in, an object of the kind it was sent to out.

In: a JSON value. Out: the object, decoded and with its defaults, and warnings; or the Status that refuses it. Law: the
caller chooses what becomes of unknown and repeated fields, never of anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from controlplane.resources.decode import decode
from controlplane.resources.kinds import KINDS, Kind
from controlplane.resources.rules import RULES
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import Json, JsonObject, copied, quoted

# What upstream calls the groups among itself.
_INTERNAL: Final = {
    "": "core",
    "apiregistration.k8s.io": "apiregistration",
    "discovery.k8s.io": "discovery",
    "rbac.authorization.k8s.io": "rbac",
}


class Strictness(Enum):
    """What becomes of unknown and repeated fields (the API's fieldValidation)."""

    STRICT = "Strict"
    WARN = "Warn"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class Read:
    """An object that was sent, and what its sender should know."""

    object: JsonObject = field(repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Misread:
    """Why what was sent is no object of the kind; `about` says what it was taken for."""

    about: str
    why: str

    @property
    def status(self) -> Status:
        """400: the answer to a request with such a body."""
        return bad_request(f"{self.about}: {self.why}")


def read(kind: Kind, body: Json, strictness: Strictness) -> Read | Misread:
    """The object in a request's body, unless it is of another kind or has a field of the wrong type."""
    unrecognized = f"the object provided is unrecognized (must be of type {kind.kind})"
    if not isinstance(body, dict):
        return Misread(unrecognized, "it is no JSON object")
    # What the body does not say it is, it is.
    api_version, name = body.get("apiVersion") or kind.api_version, body.get("kind") or kind.kind
    if not isinstance(api_version, str) or not isinstance(name, str):
        return Misread(unrecognized, "couldn't get version/kind")
    about = f"{name} in version {quoted(api_version.rpartition('/')[2])} cannot be handled as a {kind.kind}"
    if (api_version, name) != (kind.api_version, kind.kind):
        return Misread(about, _other_kind(kind, api_version, name))
    decoded = decode(body, kind.schema)
    if decoded.error:
        return Misread(about, decoded.error)
    if decoded.strict and strictness is Strictness.STRICT:
        return Misread(about, f"strict decoding error: {', '.join(decoded.strict)}")
    obj = decoded.object
    complete(kind, obj)
    warnings = decoded.strict if strictness is Strictness.WARN else ()
    return Read(obj, (*warnings, *_single_owners(obj)))


def complete(kind: Kind, obj: JsonObject) -> None:
    """Fills in, on the object given, what it is and what it leaves out."""
    obj.update(apiVersion=kind.api_version, kind=kind.kind)
    RULES[kind.kind].default(obj)


def _other_kind(kind: Kind, api_version: str, name: str) -> str:
    known = KINDS.get(name)
    if known is None or known.api_version != api_version:
        return f"no kind {quoted(name)} is registered for version {quoted(api_version)}"
    return f"converting ({known.version}.{name}) to ({_INTERNAL[kind.group]}.{kind.kind}): unknown conversion"


def _single_owners(obj: JsonObject) -> tuple[str, ...]:
    """Drops owner references that are there twice."""
    references = obj["metadata"].get("ownerReferences")
    if not references:
        return ()
    kept: list[JsonObject] = []
    repeated: list[str] = []
    for reference in references:
        if reference in kept:
            repeated.append(reference["uid"])
        else:
            kept.append(copied(reference))
    if not repeated:
        return ()
    obj["metadata"]["ownerReferences"] = kept
    return (f"metadata.ownerReferences names owners twice, which counts once: {', '.join(repeated)}",)
