"""Patches of stored objects, of whatever type.

In: a document and a patch. Out: the patched document, or the Status that refuses it. Law: the document given is never
changed. Specifications: RFC 6902, RFC 7386, Kubernetes' strategic merge patch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from controlplane.resources import status
from controlplane.resources.cause import Cause
from controlplane.resources.jsonpatch import UnfitError, json_patch
from controlplane.resources.schema import Struct
from controlplane.resources.status import Status
from controlplane.resources.strategic import UnmergeableError, strategic_merge
from controlplane.resources.values import Json, JsonObject, copied

_MOST_OPERATIONS: Final = 10_000


class PatchType(Enum):
    """How a patch is meant, by its media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch, as JSON."""

    type: PatchType
    value: Json = field(repr=False)


def patched(live: JsonObject, patch: Patch, shape: Struct) -> Json:
    """The stored object after the patch, or the Status that refuses the patch."""
    if patch.type is PatchType.JSON:
        return _json_patched(live, patch.value)
    if not isinstance(patch.value, dict):
        return status.bad_request("error decoding patch: a merge patch of an object is an object")
    if patch.type is PatchType.MERGE:
        return merge_patch(live, patch.value)
    try:
        return strategic_merge(live, patch.value, shape)
    except UnmergeableError as error:
        return status.bad_request(str(error))


def merge_patch(document: Json, patch: Json) -> Json:
    """The document with the patch merged in (RFC 7386): null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged: JsonObject = copied(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _json_patched(live: JsonObject, operations: Json) -> Json | Status:
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        return status.bad_request("error decoding patch: a JSON patch is a list of operations")
    if len(operations) > _MOST_OPERATIONS:
        return status.too_large(
            f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(operations)}"
        )
    try:
        return json_patch(live, operations)
    except UnfitError as error:
        message = "the server rejected our request due to an error in our request"
        return Status(422, "Invalid", message, causes=(Cause("", str(error), ""),))
