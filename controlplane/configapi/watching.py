"""Watches: what happens to the objects of a kind, from a moment on.

In: a selection and a resourceVersion. Out: messages without end, or the Status that ends them. Law: nothing that
happened after the resourceVersion is left out, in order; a watch that goes on from the last message it was sent misses
nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from controlplane.api.v1 import config_pb2
from controlplane.configapi import objects, reading
from controlplane.configapi.access import Session
from controlplane.configapi.reading import Selection
from controlplane.resources.status import Status, bad_request
from controlplane.resources.values import quoted
from controlplane.store.interface import Batch, Event, Store, Stored

# A watch of which nothing is selected for long would have to begin far back when it is cut.
_BOOKMARK_SECONDS: Final = 10.0
_DIGITS: Final = 18

_Message = config_pb2.WatchResponse


async def watch(
    store: Store, session: Session, selection: Selection, version: str, clock: Callable[[], float]
) -> AsyncGenerator[config_pb2.WatchResponse | Status, None]:
    """Messages for whoever may watch; a Status is the last. `clock` is monotonic, in seconds.

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
    if not begin:
        async for message in _all_there_is(store, selection):
            yield message
            begin = int(message.resource_version or 0)
    said_at = clock()
    async with aclosing(store.watch(selection.scope, after=begin)) as batches:
        async for batch in batches:
            messages = _messages(batch, selection)
            if not messages and (not batch.events or clock() - said_at >= _BOOKMARK_SECONDS):
                messages = [_bookmark(batch.revision)]
            for message in messages:
                yield message
                said_at = clock()


async def _all_there_is(store: Store, selection: Selection) -> AsyncGenerator[config_pb2.WatchResponse, None]:
    page = await store.list(selection.scope, limit=reading.MOST)
    while True:
        for one in page.items:
            if selection.takes(one):
                yield _Message(change=_Message.CHANGE_ADDED, object=objects.shown(selection.kind, one))
        if not page.more:
            break
        page = await store.list(selection.scope, limit=reading.MOST, revision=page.revision, after=page.items[-1].key)
    yield _bookmark(page.revision)


def _messages(batch: Batch, selection: Selection) -> list[config_pb2.WatchResponse]:
    """What a transaction is to the watcher: an object that is selected no more is deleted, for all it sees."""
    found = [message for event in batch.events if (message := _message(event, selection)) is not None]
    for message in found[:-1]:
        # Whoever is cut in the middle of a transaction is told all of it again.
        message.resource_version = str(batch.revision - 1)
    if found:
        found[-1].resource_version = str(batch.revision)
    return found


def _message(event: Event, selection: Selection) -> config_pb2.WatchResponse | None:
    now = event.now if event.now is not None and selection.takes(event.now) else None
    before = event.before if event.before is not None and selection.takes(event.before) else None
    if now is not None:
        change = _Message.CHANGE_MODIFIED if before is not None else _Message.CHANGE_ADDED
        return _told(change, now, selection)
    return None if before is None else _told(_Message.CHANGE_DELETED, before, selection)


def _told(change: config_pb2.WatchResponse.Change, stored: Stored, selection: Selection) -> config_pb2.WatchResponse:
    return _Message(change=change, object=objects.shown(selection.kind, stored))


def _bookmark(revision: int) -> config_pb2.WatchResponse:
    return _Message(change=_Message.CHANGE_BOOKMARK, resource_version=str(revision))


def _revision(version: str) -> int | Status:
    if not version or version == "0":
        return 0
    if not version.isascii() or not version.isdigit() or len(version) > _DIGITS:
        return bad_request(f"Invalid value: {quoted(version)}: the resourceVersion is none that was given out")
    return int(version)
