"""Reads: one object, and the objects of a kind page by page.

In: what is asked for. Out: messages, or the Status that refuses. Law: all pages of a list show the moment of the first;
a page token is believed only for the list that it came from.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.configapi import access, objects, requests
from controlplane.configapi.access import Session
from controlplane.configapi.conditions import Standing
from controlplane.model.change import ObjectKey
from controlplane.resources import status
from controlplane.resources.kinds import Kind
from controlplane.resources.operations import Target
from controlplane.resources.selectors import Selector, select
from controlplane.resources.status import Status, bad_request
from controlplane.store.interface import Key, Page, Scope, Store, Stored

MOST: Final = 500
"""Objects on a page at most."""

_DIGEST_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are meant: those of a kind, in a namespace ("": all), that a selector takes."""

    kind: Kind
    namespace: str
    selector: Selector
    label_selector: str = ""
    field_selector: str = ""

    @property
    def scope(self) -> Scope:
        """The same for the store, but for the selector."""
        return Scope(self.kind.resource, self.namespace or None)

    def key(self, stored: Stored) -> ObjectKey:
        """The key of an object in the scope."""
        return objects.object_key(self.kind, stored.key)

    def takes(self, stored: Stored) -> bool:
        """Whether an object in the scope is meant."""
        selector = self.selector
        if not selector.labels and not selector.fields:
            return True
        return selector.matches(objects.selectable(stored))

    def target(self, *, watch: bool = False) -> str:
        """The request target of the same over HTTP."""
        return access.collection(
            self.kind,
            self.namespace,
            watch="1" if watch else "",
            labelSelector=self.label_selector,
            fieldSelector=self.field_selector,
        )


def selection_of(request: config_pb2.ListRequest | config_pb2.WatchRequest) -> Selection | Status:
    """What a request selects."""
    kind = requests.kind_of(request.type)
    if isinstance(kind, Status):
        return kind
    namespace = requests.namespace_of(kind, request.namespace)
    if isinstance(namespace, Status):
        return namespace
    selector = select(kind, request.label_selector, request.field_selector)
    if isinstance(selector, Status):
        return selector
    return Selection(kind, namespace, selector, request.label_selector, request.field_selector)


async def get(
    store: Store, session: Session, target: Target, now: Callable[[], Standing]
) -> config_pb2.Object | Status:
    """One object as it stands `now`, for whoever may get it."""
    kind = target.kind
    user = await session.admit("GET", access.item(kind, target.namespace, target.name))
    if isinstance(user, Status):
        return user
    found = await store.get(objects.key_of(kind, target.namespace, target.name))
    if found is None:
        return status.not_found(kind.group, kind.plural, target.name)
    return objects.shown(kind, found, now()(objects.object_key(kind, found.key)))


async def list_page(
    store: Store, session: Session, selection: Selection, size: int, token: str, now: Callable[[], Standing]
) -> config_pb2.ListResponse | Status:
    """A page of objects as they stand `now`, for whoever may list."""
    begin = _read(token, selection) if token else _Place(None, None)
    if isinstance(begin, Status):
        return begin
    user = await session.admit("GET", selection.target())
    if isinstance(user, Status):
        return user
    size = min(size or MOST, MOST)
    found: list[Stored] = []
    revision, after = begin.revision, begin.after
    while True:
        page = await store.list(selection.scope, limit=MOST, revision=revision, after=after)
        found += await asyncio.to_thread(_taken, page, selection)
        revision, after = page.revision, page.items[-1].key if page.items else after
        if len(found) >= size or not page.more:
            break
    following = ""
    if len(found) > size or (page.more and len(found) == size):
        following = _written(_Place(revision, found[size - 1].key), selection)
    standing = now()
    return config_pb2.ListResponse(
        objects=[objects.shown(selection.kind, one, standing(selection.key(one))) for one in found[:size]],
        resource_version=str(revision),
        next_page_token=following,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list goes on: at a revision, after a key; None: from the start."""

    revision: int | None
    after: Key | None


def _taken(page: Page, selection: Selection) -> list[Stored]:
    return [one for one in page.items if selection.takes(one)]


def _written(place: _Place, selection: Selection) -> str:
    after = place.after
    assert after is not None  # noqa: S101 - the last object of a page
    content = orjson.dumps([place.revision, after.namespace, after.name])
    return base64.urlsafe_b64encode(_digest(selection) + content).decode()


def _read(token: str, selection: Selection) -> _Place | Status:
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        digest, content = raw[:_DIGEST_BYTES], orjson.loads(raw[_DIGEST_BYTES:])
    except (binascii.Error, ValueError):
        return bad_request("continue key is not valid: it is none that a list gave")
    if digest != _digest(selection):
        return bad_request("continue key is not valid: it is of a list of other objects")
    match content:
        case [int(revision), str(namespace), str(name)] if revision > 0 and name:
            return _Place(revision, Key(selection.kind.resource, namespace, name))
    return bad_request("continue key is not valid: it is none that a list gave")


def _digest(selection: Selection) -> bytes:
    parts = (selection.kind.resource, selection.namespace, selection.label_selector, selection.field_selector)
    return hashlib.sha256("\0".join(parts).encode()).digest()[:_DIGEST_BYTES]
