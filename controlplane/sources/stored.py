"""The objects in a store as a source of Changes.

In: a store whose values are manifests in JSON, and somebody to tell of Problems. Out: what it holds, then `Synced`,
then each change, and up to which revision that is all. Law: what comes out of one transaction is one batch; an object
that does not hold is a Problem of its own, and what was in force under its key stays; a store that cannot be read for a
while changes only the Problems.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Final

import orjson

from controlplane.model.change import Change, ObjectKey, Reached, Synced
from controlplane.model.problem import Origin, Problem
from controlplane.sources.decode import decode
from controlplane.sources.folder import Broken, Content, Folder, Gone, Observation
from controlplane.store.interface import Batch, CompactedError, Key, Scope, Store, UnavailableError

RESOURCES: Final = frozenset(
    {
        "apiservices.apiregistration.k8s.io",
        "services",
        "endpointslices.discovery.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
    }
)
"""The resources whose objects are read; what else a store keeps is none of the pipeline's."""

_RETRY_SECONDS: Final = 0.5
_PAGE: Final = 500
_SMALL_BYTES: Final = 16 * 1024


class StoredSource:
    """The manifests that clients wrote."""

    name: Final = "store"

    def __init__(self, store: Store, report: Callable[[tuple[Problem, ...]], None]) -> None:
        """`report` gets all Problems there are, whenever they are others than before."""
        self._store = store
        self._report = report
        # A key of the store is to these objects what a path is to those of a folder.
        self._objects = Folder()
        self._known: set[str] = set()
        self._reported: tuple[Problem, ...] = ()

    def origin(self, key: ObjectKey) -> Origin | None:
        """The object of the store that is in force under a key; None when there is none."""
        return self._objects.origin(key)

    async def changes(self) -> AsyncIterator[tuple[Change, ...]]:
        """All that is there, `Synced`, then each change; see `Source`."""
        synced = False
        while True:
            try:
                changes, revision = await self._list()
                yield (*changes, Reached(revision))
                if not synced:
                    synced = True
                    yield (Synced(self.name),)
                async with aclosing(self._watch(revision)) as watch:
                    async for changes in watch:
                        yield changes
            except CompactedError:
                # Too far behind: what is there now says as much as how it came about.
                continue
            except UnavailableError as error:
                remedy = "until then what was read before stays in force"
                self._tell((Problem(Origin(self.name), "", "", f"cannot be read: {error.reason}", remedy),))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _list(self) -> tuple[tuple[Change, ...], int]:
        """What differs from what was known, as one batch, and the revision at which it does."""
        page = await self._store.list(Scope(), limit=_PAGE)
        observed = await asyncio.to_thread(_observations, {item.key: item.value for item in page.items})
        while page.more:
            page = await self._store.list(Scope(), limit=_PAGE, revision=page.revision, after=page.items[-1].key)
            observed |= await asyncio.to_thread(_observations, {item.key: item.value for item in page.items})
        gone: dict[str, Observation] = {path: Gone() for path in self._known - observed.keys()}
        changes = await asyncio.to_thread(self._objects.observe, gone | observed)
        self._note(gone | observed)
        return changes, page.revision

    async def _watch(self, revision: int) -> AsyncGenerator[tuple[Change, ...], None]:
        async with aclosing(self._store.watch(Scope(), after=revision)) as watch:
            async for batch in watch:
                values = _values(batch)
                # A thread costs a lone change more than it saves the others.
                small = sum(len(value or b"") for value in values.values()) <= _SMALL_BYTES
                observed = _observations(values) if small else await asyncio.to_thread(_observations, values)
                changes = self._objects.observe(observed)
                self._note(observed)
                yield (*changes, Reached(batch.revision))

    def _note(self, observed: Mapping[str, Observation]) -> None:
        for path, observation in observed.items():
            if isinstance(observation, Gone):
                self._known.discard(path)
            else:
                self._known.add(path)
        self._tell(())

    def _tell(self, unreadable: tuple[Problem, ...]) -> None:
        problems = (*unreadable, *self._objects.problems)
        if problems != self._reported:
            self._reported = problems
            self._report(problems)


def _values(batch: Batch) -> dict[Key, bytes | None]:
    return {event.key: None if event.now is None else event.now.value for event in batch.events}


def _observations(values: Mapping[Key, bytes | None]) -> dict[str, Observation]:
    return {_path(key): _observation(key, value) for key, value in values.items() if key.resource in RESOURCES}


def _observation(key: Key, value: bytes | None) -> Observation:
    if value is None:
        return Gone()
    origin = Origin(_path(key))
    try:
        manifest = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Broken(Problem(origin, "", "", f"is not JSON ({error.msg})", "write the object anew"))
    if not isinstance(manifest, dict):
        return Broken(Problem(origin, "", "", "is not a mapping", "write the object anew"))
    return Content(decode(manifest, origin))


def _path(key: Key) -> str:
    return f"store {key}"
