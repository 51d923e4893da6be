"""Conditions that objects are shown with, and that are stored nowhere.

In: an object, and how it stands. Out: the object with that in its status. Law: what is computed replaces what is stored
of the same type; a time that is stored is kept only where it still is the time of what is shown.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

from controlplane.model.apiservice import Condition
from controlplane.model.change import ObjectKey
from controlplane.resources.values import JsonObject

CONDITIONED: Final = "APIService"
"""The kind of objects that have conditions of this kind."""

Conditions: TypeAlias = tuple[tuple[str, Condition], ...]
"""Conditions by their types."""


class Standing(Protocol):
    """How objects stand at one moment."""

    def __call__(self, key: ObjectKey) -> Conditions:
        """The conditions of an object; none for kinds that have none, and for what is not in force."""


def with_conditions(obj: JsonObject, conditions: Conditions) -> JsonObject:
    """The object with these conditions, beside those it has of other types; the object itself is left alone."""
    if not conditions:
        return obj
    status = obj.get("status") or {}
    shown = {one["type"]: one for one in status.get("conditions") or ()}
    for name, condition in conditions:
        told = {"type": name, "status": condition.status.value}
        before = shown.get(name, {})
        if before.get("status") == condition.status.value and "lastTransitionTime" in before:
            told["lastTransitionTime"] = before["lastTransitionTime"]
        shown[name] = {**told, "reason": condition.reason, "message": condition.message}
    return {**obj, "status": {**status, "conditions": list(shown.values())}}
