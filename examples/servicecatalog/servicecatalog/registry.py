"""Creating, changing and deleting objects: the rules between a client's object and the stored one.

In go accepted objects and options; out come the objects as stored (or, on a dry run, as they would be).
The law: what belongs to the server (uid, creationTimestamp, generation, resourceVersion, deletionTimestamp) never
comes from a client; `status` changes only through its subresource, and everything else only without it; a write that
changes nothing is not a write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicecatalog.apply import Applied, Conflict, apply, apply_conflict
from servicecatalog.managedfields import Manager, after_update, read_managers, written_managers
from servicecatalog.names import prefix_defect
from servicecatalog.resources import GROUP_VERSION, Resource
from servicecatalog.schemas import JsonObject
from servicecatalog.selectors import Selector
from servicecatalog.status import (
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden_value,
    invalid,
    invalid_value,
    modified,
    not_found,
)
from servicecatalog.store import Key, Store
from servicecatalog.validation import object_causes
from servicecatalog.writeoptions import DeleteOptions, WriteOptions

NAME_ATTEMPTS: Final = 8
_SERVER_METADATA: Final = (
    *("uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("selfLink", "generateName"),
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """The outcome of a deletion: the last state, and whether the object is gone (finalizers may hold it)."""

    object: JsonObject
    gone: bool


class Registry:
    """The write side of every resource, and the read of one object."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        new_uid: Callable[[], str],
        new_suffix: Callable[[], str],
    ) -> None:
        """`new_suffix` gives the five random characters that complete a generateName."""
        self._store = store
        self._now = now
        self._new_uid = new_uid
        self._new_suffix = new_suffix

    def get(self, resource: Resource, key: Key) -> JsonObject:
        """The stored object.

        Raises:
            StatusError: 404.
        """
        obj = self._store.get(resource.plural, key)
        if obj is None:
            raise not_found(resource, key[1])
        return obj

    def create(self, resource: Resource, obj: JsonObject, options: WriteOptions) -> JsonObject:
        """Store a new object.

        Raises:
            StatusError: 409 when the name is taken, 400 when it carries a resourceVersion, 422 when it is invalid.
        """
        if obj["metadata"].get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        fresh = self._fresh(resource, obj)
        managers = after_update((), {}, fresh, self._writer(options, "Update", ""))
        return self._store_new(resource, fresh, managers, options)

    def update(
        self, resource: Resource, obj: JsonObject, options: WriteOptions, *, subresource: str, conditional: bool
    ) -> JsonObject:
        """Replace an object, or its status; `conditional` demands a resourceVersion.

        Raises:
            StatusError: 404, 409 for another version or UID, 422 when the result is invalid.
        """
        metadata = obj["metadata"]
        live = self.get(resource, (metadata.get("namespace", ""), metadata["name"]))
        if conditional and not metadata.get("resourceVersion"):
            cause = invalid_value("metadata.resourceVersion", "0x0", "must be specified for an update")
            raise invalid(resource.kind, metadata["name"], [cause])
        _check_version(resource, live, metadata)
        managers = read_managers(obj if "managedFields" in metadata else live)
        wanted = _merged(resource, live, obj, subresource)
        owners = after_update(managers, live, wanted, self._writer(options, "Update", subresource))
        return self._store_changed(resource, live, wanted, owners, options)

    def apply(
        self, resource: Resource, obj: JsonObject, options: WriteOptions, *, subresource: str
    ) -> tuple[JsonObject, bool]:
        """Apply a configuration; returns the object and whether it was created.

        Raises:
            StatusError: 404 (status of a missing object), 409 for fields held by others, 422 when invalid.
        """
        metadata = obj["metadata"]
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        writer = self._writer(options, "Apply", subresource)
        live = self._store.get(resource.plural, (metadata.get("namespace", ""), metadata["name"]))
        if live is None:
            if subresource:
                raise not_found(resource, metadata["name"])
            if metadata.get("resourceVersion") or metadata.get("uid"):
                raise conflict(resource, metadata["name"], "the object does not exist")
            applied = _applied(apply({}, _part(obj, ""), (), writer, force=True))
            return self._store_new(resource, self._fresh(resource, obj), applied.managers, options), True
        _check_version(resource, live, metadata)
        applied = _applied(apply(live, _part(obj, subresource), read_managers(live), writer, force=options.force))
        wanted = _merged(resource, live, applied.object, subresource)
        return self._store_changed(resource, live, wanted, applied.managers, options), False

    def delete(self, resource: Resource, key: Key, options: DeleteOptions) -> Deleted:
        """Delete an object, or mark it while finalizers hold it.

        Raises:
            StatusError: 404, 409 when a precondition does not hold.
        """
        live = self.get(resource, key)
        options.check(resource, live)
        if not live["metadata"].get("finalizers"):
            last = live if options.dry_run else self._store.remove(resource.plural, key)
            return Deleted(last or live, gone=True)
        if live["metadata"].get("deletionTimestamp"):
            return Deleted(live, gone=False)
        marked = {**live, "metadata": {**live["metadata"], "deletionTimestamp": self._time()}}
        marked["metadata"] |= {"deletionGracePeriodSeconds": 0, "generation": live["metadata"]["generation"] + 1}
        return Deleted(marked if options.dry_run else self._store.put(resource.plural, key, marked), gone=False)

    def delete_collection(
        self, resource: Resource, namespace: str, selector: Selector, options: DeleteOptions
    ) -> tuple[JsonObject, ...]:
        """Delete every selected object of a namespace (empty: of the cluster scope) and return their last states."""
        selected = [
            key for key, obj in self._store.snapshot(resource.plural) if key[0] == namespace and selector.matches(obj)
        ]
        return tuple(self.delete(resource, key, options).object for key in selected)

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _writer(self, options: WriteOptions, operation: str, subresource: str) -> Manager:
        return Manager(options.manager, operation, subresource, self._time(), frozenset())

    def _fresh(self, resource: Resource, obj: JsonObject) -> JsonObject:
        """A first version of an object: named, dated, defaulted, and without a status."""
        given = {key: value for key, value in obj["metadata"].items() if key not in _SERVER_METADATA}
        prefix = obj["metadata"].get("generateName", "")
        if prefix:
            given["generateName"] = prefix
        if not given.get("name") and prefix:
            if prefix_defect(prefix):
                cause = invalid_value("metadata.generateName", prefix, prefix_defect(prefix))
                raise invalid(resource.kind, "", [cause])
            given["name"] = self._generated(resource, given.get("namespace", ""), prefix)
        metadata = {**given, "uid": self._new_uid(), "creationTimestamp": self._time(), "generation": 1}
        fresh: JsonObject = {"apiVersion": GROUP_VERSION, "kind": resource.kind, "metadata": metadata}
        if "spec" in obj:
            spec = obj["spec"]
            fresh["spec"] = resource.defaults(spec, metadata.get("name", "")) if isinstance(spec, dict) else spec
        return fresh

    def _generated(self, resource: Resource, namespace: str, prefix: str) -> str:
        for _ in range(NAME_ATTEMPTS):
            name = f"{prefix[:248]}{self._new_suffix()}"
            if self._store.get(resource.plural, (namespace, name)) is None:
                return name
        raise already_exists(resource, prefix)

    def _store_new(
        self, resource: Resource, fresh: JsonObject, managers: tuple[Manager, ...], options: WriteOptions
    ) -> JsonObject:
        causes = object_causes(resource, fresh, None)
        name = fresh["metadata"].get("name", "")
        if causes:
            raise invalid(resource.kind, name, causes)
        key = (fresh["metadata"].get("namespace", ""), name)
        if self._store.get(resource.plural, key) is not None:
            raise already_exists(resource, name)
        fresh["metadata"]["managedFields"] = written_managers(managers)
        return fresh if options.dry_run else self._store.put(resource.plural, key, fresh)

    def _store_changed(
        self,
        resource: Resource,
        live: JsonObject,
        wanted: JsonObject,
        managers: tuple[Manager, ...],
        options: WriteOptions,
    ) -> JsonObject:
        metadata = wanted["metadata"]
        causes = (*object_causes(resource, wanted, live), *_finalizer_causes(live, wanted))
        if causes:
            raise invalid(resource.kind, metadata["name"], causes)
        metadata["managedFields"] = written_managers(managers)
        if _timeless(wanted) == _timeless(live):
            return live
        if any(
            wanted.get(part) != live.get(part)
            for part in wanted.keys() | live.keys()
            if part not in ("metadata", "status")
        ):
            metadata["generation"] = live["metadata"]["generation"] + 1
        if options.dry_run:
            return wanted
        key = (metadata.get("namespace", ""), metadata["name"])
        stored = self._store.put(resource.plural, key, wanted)
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            return self._store.remove(resource.plural, key) or stored
        return stored


def _applied(outcome: Applied | tuple[Conflict, ...]) -> Applied:
    if isinstance(outcome, Applied):
        return outcome
    raise apply_conflict(outcome)


def _part(obj: JsonObject, subresource: str) -> JsonObject:
    """The part of a configuration that may be set through this door."""
    if subresource:
        return {"status": obj["status"]} if "status" in obj else {}
    return {key: value for key, value in obj.items() if key != "status"}


def _check_version(resource: Resource, live: JsonObject, metadata: JsonObject) -> None:
    current = live["metadata"]
    uid = metadata.get("uid") or current["uid"]
    if uid != current["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {current['uid']}"
        raise conflict(resource, current["name"], why)
    if (metadata.get("resourceVersion") or current["resourceVersion"]) != current["resourceVersion"]:
        raise modified(resource, current["name"])


def _merged(resource: Resource, live: JsonObject, obj: JsonObject, subresource: str) -> JsonObject:
    """The next version of an object: the client's part of it over the server's."""
    if subresource:
        wanted: JsonObject = {key: value for key, value in live.items() if key != "status"}
        wanted["metadata"] = dict(live["metadata"])
        return {**wanted, "status": obj["status"]} if "status" in obj else wanted
    given = {key: value for key, value in obj["metadata"].items() if key not in _SERVER_METADATA}
    kept = {key: live["metadata"][key] for key in _SERVER_METADATA if key in live["metadata"]}
    wanted = {"apiVersion": GROUP_VERSION, "kind": resource.kind, "metadata": {**given, **kept}}
    if "spec" in obj:
        wanted["spec"] = obj["spec"]
    return {**wanted, "status": live["status"]} if "status" in live else wanted


def _finalizer_causes(live: JsonObject, wanted: JsonObject) -> tuple[Cause, ...]:
    if not live["metadata"].get("deletionTimestamp"):
        return ()
    added = sorted(set(wanted["metadata"].get("finalizers", ())) - set(live["metadata"].get("finalizers", ())))
    if not added:
        return ()
    detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
    return (forbidden_value("metadata.finalizers", detail),)


def _timeless(obj: JsonObject) -> JsonObject:
    """The object without the times of its managers: what decides whether a write changes anything."""
    entries = [{**entry, "time": ""} for entry in obj["metadata"].get("managedFields", ())]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}
