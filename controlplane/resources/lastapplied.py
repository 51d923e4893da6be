"""How kubectl moves from client-side to server-side apply.

In: the live object, whose annotation tells what kubectl applied last, and a configuration. Out: the conflicts that
remain, and the annotation brought up to date. Law: only the manager "kubectl" is treated so, and only where the object
is still as it applied it.
"""

from __future__ import annotations

from typing import Final

from controlplane.resources.apply import Conflict
from controlplane.resources.configuration import defects
from controlplane.resources.decode import read_json
from controlplane.resources.fieldpath import Paths
from controlplane.resources.kinds import Kind
from controlplane.resources.typed import compare, field_set
from controlplane.resources.values import Json, JsonObject, at, copied, encoded

MANAGER: Final = "kubectl"
_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def remaining(kind: Kind, live: JsonObject, conflicts: tuple[Conflict, ...]) -> tuple[Conflict, ...]:
    """The conflicts over fields that kubectl did not itself apply last, on the client's side."""
    allowed = _applied(kind, live)
    return tuple(one for one in conflicts if one.path not in allowed)


def noted(obj: JsonObject, config: JsonObject) -> JsonObject:
    """The object, its annotation (if it has one) telling the configuration."""
    if not at(obj, "metadata", "annotations", _ANNOTATION):
        return obj
    told, updated = copied(config), copied(obj)
    if isinstance(at(told, "metadata", "annotations"), dict):
        told["metadata"]["annotations"].pop(_ANNOTATION, None)
    updated["metadata"]["annotations"][_ANNOTATION] = encoded(_sorted(told)) + "\n"
    return updated  # type: ignore[no-any-return]  # a copy of an object is an object


def _applied(kind: Kind, live: JsonObject) -> Paths:
    """The fields that kubectl applied last and that are still as it left them."""
    text = at(live, "metadata", "annotations", _ANNOTATION)
    try:
        last = read_json(text) if isinstance(text, str) else None
    except ValueError:
        return frozenset()
    if not isinstance(last, dict) or last.get("apiVersion") != kind.api_version or any(defects(last, kind.schema)):
        return frozenset()
    difference = compare(last, live, kind.schema)
    return field_set(last, kind.schema) - difference.modified - difference.added - difference.removed


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
