"""Deletion: whether an object may go, and whether it goes now.

In: the stored object, and what the caller takes it to be. Out: the object to remove, or the one that waits for its
finalizers, or the Status that refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.resources import status
from controlplane.resources.finish import Written
from controlplane.resources.kinds import Kind
from controlplane.resources.status import Status
from controlplane.resources.values import JsonObject, copied


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What the object must still be; "" asks nothing."""

    uid: str = ""
    resource_version: str = ""


def delete(kind: Kind, live: JsonObject, now: str, preconditions: Preconditions) -> Written | Status:
    """The object after a deletion: `deleted` when it is to be removed, else marked with the time `now` (RFC 3339)."""
    meta = live["metadata"]
    if refused := _unlike(kind, live, preconditions):
        return refused
    if not meta.get("finalizers"):
        return Written(live, deleted=True)
    if meta.get("deletionTimestamp"):
        return Written(live, changed=False)
    marked = copied(live)
    marked["metadata"].update(deletionTimestamp=now, deletionGracePeriodSeconds=0)
    if meta.get("generation"):
        marked["metadata"]["generation"] += 1
    return Written(marked)


def _unlike(kind: Kind, live: JsonObject, preconditions: Preconditions) -> Status | None:
    meta = live["metadata"]
    uid, version = meta["uid"], meta.get("resourceVersion", "")
    if preconditions.uid not in ("", uid):
        why = (
            f"the UID in the precondition ({preconditions.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        return status.conflict(kind.group, kind.kind, meta["name"], why, current=version)
    if preconditions.resource_version not in ("", version):
        why = (
            f"the ResourceVersion in the precondition ({preconditions.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        return status.conflict(kind.group, kind.kind, meta["name"], why, current=version)
    return None
