"""Managed fields on objects: read from them, brought up to date, and written back.

In: an object before and after a write, and the writer. Out: the same object with its `metadata.managedFields`. Law:
managed fields never own themselves, and a client that does not know them cannot lose them.
"""

from __future__ import annotations

from controlplane.resources.decode import decode
from controlplane.resources.fieldpath import Paths
from controlplane.resources.kinds import Kind
from controlplane.resources.managedfields import UPDATE, Manager, after_update, read_managers, written
from controlplane.resources.values import Json, JsonObject, same

_UNKNOWN: str = "unknown"
_FIRST: str = "before-first-apply"


def bare(obj: JsonObject) -> JsonObject:
    """The object without its managed fields."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def with_managers(obj: JsonObject, managers: tuple[Manager, ...]) -> JsonObject:
    """The object with these managed fields."""
    plain = bare(obj)
    if managers:
        plain["metadata"]["managedFields"] = written(managers)
    return plain


def empty(kind: Kind) -> JsonObject:
    """An object of a kind before anyone wrote it."""
    return decode({}, kind.schema).object


def live_managers(live: JsonObject) -> tuple[Manager, ...]:
    """The managers of a stored object; none when its managed fields cannot be read."""
    try:
        return read_managers(live["metadata"].get("managedFields"))
    except ValueError:
        return ()


def managers_before_apply(kind: Kind, live: JsonObject, now: str) -> tuple[Manager, ...]:
    """The managers of a stored object; whatever nobody owns is owned by before-first-apply."""
    managers = live_managers(live)
    if managers:
        return managers
    return after_update((), empty(kind), bare(live), kind.schema, Manager(_FIRST, UPDATE, kind.api_version, time=now))


def tracked(
    kind: Kind,
    live: JsonObject | None,
    new: JsonObject,
    sent: Json,
    writer: Manager,
    reset: Paths,
) -> JsonObject:
    """The new object with its managed fields after a write that was no apply.

    `sent` is `metadata.managedFields` as the client sent it: [] or [{}] says that nothing is to be tracked any longer.
    """
    managers = _known(live, sent, subresource=writer.subresource)
    if not managers and live is not None:
        return with_managers(new, ())
    before = empty(kind) if live is None else bare(live)
    return with_managers(new, after_update(managers, before, bare(new), kind.schema, writer, reset))


def writer(kind: Kind, name: str, operation: str, now: str, subresource: str) -> Manager:
    """Who writes, for managed fields."""
    return Manager(name or _UNKNOWN, operation, kind.api_version, subresource, now)


def timeless(new: JsonObject, live: JsonObject) -> JsonObject:
    """The new object; with the times of the live one when nothing but times differs between them."""
    mine, theirs = new["metadata"].get("managedFields"), live["metadata"].get("managedFields")
    if not mine or not theirs or len(mine) != len(theirs):
        return new
    paired = zip(mine, theirs, strict=True)
    if not all(same({**left, "time": ""}, {**right, "time": ""}) for left, right in paired):
        return new
    if not same(bare(new), bare(live)):
        return new
    return {**new, "metadata": {**new["metadata"], "managedFields": theirs}}


def _known(live: JsonObject | None, sent: Json, *, subresource: str) -> tuple[Manager, ...]:
    of_live = () if live is None else live_managers(live)
    if subresource:
        return of_live
    if sent == [] or sent == [{}]:
        return ()
    try:
        return read_managers(sent) or of_live
    except (ValueError, AttributeError, TypeError):
        return of_live
