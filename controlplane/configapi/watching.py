"""Watches: what happens to the objects of a kind, from a moment on.

In: a selection and a resourceVersion. Out: messages without end, or the Status that ends them. Law: nothing that
happened after the resourceVersion is left out, in order; a watch that goes on from the last message it was sent misses
nothing. What is only shown with objects, their conditions, is told as it is, and not as it was in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final

from controlplane.api.v1 import config_pb2
from controlplane.configapi import objects, reading
from controlplane.configapi.access import Session
from controlplane.configapi.conditions import Conditions
from controlplane.configapi.reading import Selection
from controlplane.configapi.standings import Changes
from controlplane.model.change import ObjectKey
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import quoted
from controlplane.store.interface import Batch, Event, Key, Store, Stored

# A watch of which nothing is selected for long would have to begin far back when it is cut.
_BOOKMARK_SECONDS: Final = 10.0
_DIGITS: Final = 18

_Message = config_pb2.WatchResponse


async def watch(
    store: Store,
    session: Session,
    selection: Selection,
    version: str,
    clock: Callable[[], float],
    changes: Changes | None,
) -> AsyncGenerator[config_pb2.WatchResponse | Status, None]:
    """Messages for whoever may watch; a Status is the last.

    `clock` is monotonic, in seconds; `changes` are those of the conditions of the kind, None where it has none.

    Raises:
        CompactedError: when what comes after `version` is forgotten, at the start or because the client is slow.
        StoreError: when the store fails.
    """
    begin = _revision(version)
    if isinstance(begin, Status):
        yield begin
        return
    user = await session.admit("GET", selection.target(watch=True))
    if isinstance(user, Status):
        yield user
        return
    shown = _Shown(selection, changes)
    if not begin:
        async for message in _all_there_is(store, shown):
            yield message
            begin = int(message.resource_version or 0)
    said_at = clock()
    async with (
        aclosing(store.watch(selection.scope, after=begin)) as batches,
        aclosing(batches if changes is None else _either(batches, changes)) as happenings,
    ):
        async for happened in happenings:
            if not isinstance(happened, Batch):
                async for message in _standing_otherwise(happened, store, shown, begin):
                    yield message
                continue
            begin = happened.revision
            messages = _messages(happened, shown)
            if not messages and (not happened.events or clock() - said_at >= _BOOKMARK_SECONDS):
                messages = [_bookmark(happened.revision)]
            for message in messages:
                yield message
                said_at = clock()


class _Shown:
    """Objects of a selection as a watcher is shown them."""

    def __init__(self, selection: Selection, changes: Changes | None) -> None:
        self.selection = selection
        self._changes = changes

    def __call__(self, change: config_pb2.WatchResponse.Change, stored: Stored) -> config_pb2.WatchResponse:
        conditions: Conditions = ()
        if self._changes is not None:
            conditions = self._changes.shown(self.selection.key(stored))
        return _Message(change=change, object=objects.shown(self.selection.kind, stored, conditions))


async def _all_there_is(store: Store, shown: _Shown) -> AsyncGenerator[config_pb2.WatchResponse, None]:
    selection = shown.selection
    page = await store.list(selection.scope, limit=reading.MOST)
    while True:
        for one in page.items:
            if selection.takes(one):
                yield shown(_Message.CHANGE_ADDED, one)
        if not page.more:
            break
        page = await store.list(selection.scope, limit=reading.MOST, revision=page.revision, after=page.items[-1].key)
    yield _bookmark(page.revision)


async def _either(
    batches: AsyncGenerator[Batch, None], changes: Changes
) -> AsyncGenerator[Batch | list[ObjectKey], None]:
    """What happens next, in the store or to conditions."""

    async def written() -> Batch | None:
        return await anext(batches, None)

    batch, keys = asyncio.create_task(written()), asyncio.create_task(changes.next())
    try:
        while True:
            await asyncio.wait((batch, keys), return_when=asyncio.FIRST_COMPLETED)
            if batch.done():
                happened = batch.result()
                if happened is None:
                    return
                batch = asyncio.create_task(written())
                yield happened
            if keys.done():
                found = keys.result()
                keys = asyncio.create_task(changes.next())
                yield found
    finally:
        for task in (batch, keys):
            task.cancel()
        await asyncio.gather(batch, keys, return_exceptions=True)


async def _standing_otherwise(
    keys: Iterable[ObjectKey], store: Store, shown: _Shown, told: int
) -> AsyncGenerator[config_pb2.WatchResponse, None]:
    """The objects among those of which all up to the revision `told` was told; what came later brings its own news."""
    selection = shown.selection
    for key in keys:
        stored = await store.get(Key(selection.kind.resource, key.namespace, key.name))
        if stored is not None and stored.modified_revision <= told and selection.takes(stored):
            message = shown(_Message.CHANGE_MODIFIED, stored)
            message.resource_version = str(told)
            yield message


def _messages(batch: Batch, shown: _Shown) -> list[config_pb2.WatchResponse]:
    """What a transaction is to the watcher: an object that is selected no more is deleted, for all it sees."""
    found = [message for event in batch.events if (message := _message(event, shown)) is not None]
    for message in found[:-1]:
        # Whoever is cut in the middle of a transaction is told all of it again.
        message.resource_version = str(batch.revision - 1)
    if found:
        found[-1].resource_version = str(batch.revision)
    return found


def _message(event: Event, shown: _Shown) -> config_pb2.WatchResponse | None:
    selection = shown.selection
    now = event.now if event.now is not None and selection.takes(event.now) else None
    before = event.before if event.before is not None and selection.takes(event.before) else None
    if now is not None:
        return shown(_Message.CHANGE_MODIFIED if before is not None else _Message.CHANGE_ADDED, now)
    return None if before is None else shown(_Message.CHANGE_DELETED, before)


def _bookmark(revision: int) -> config_pb2.WatchResponse:
    return _Message(change=_Message.CHANGE_BOOKMARK, resource_version=str(revision))


def _revision(version: str) -> int | Status:
    if not version or version == "0":
        return 0
    if not version.isascii() or not version.isdigit() or len(version) > _DIGITS:
        return bad_request(f"Invalid value: {quoted(version)}: the resourceVersion is none that was given out")
    return int(version)
