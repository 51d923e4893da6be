"""The part of a control plane that takes configuration from clients: the store, and the face of the config API.

In: settings, and what the other parts know. Out: a store, kept small, and a face. Law: without a store there is no
face; without settings for it there is no store.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from controlplane.access import RuledAccess
from controlplane.aio import Watchable
from controlplane.auth.ruling import Ruling
from controlplane.configapi import service
from controlplane.configapi.calls import Calls, NewObject
from controlplane.configapi.rollout import Rollouts
from controlplane.configapi.writing import Writing
from controlplane.faces import health, reflection
from controlplane.faces.rpc import RpcFace
from controlplane.model.change import ObjectKey
from controlplane.model.problem import Problem
from controlplane.settings.face import Face
from controlplane.settings.store import Storage
from controlplane.sources.layered import Layers
from controlplane.sources.stored import StoredSource
from controlplane.store.compacting import keep_compacting
from controlplane.store.interface import Store
from controlplane.store.sqlite import opened

# As kube-apiserver's: no vowels, and nothing that looks like another character.
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX: Final = 5


@asynccontextmanager
async def kept(storage: Storage | None, report: Callable[[tuple[Problem, ...]], None]) -> AsyncIterator[Store | None]:
    """The store that the settings name, which forgets as they say while the context lasts; None without settings.

    Raises:
        StartError: when it cannot be opened.
    """
    if storage is None:
        yield None
        return
    history = storage.history
    async with (
        opened(storage.sqlite.path, report, backups=storage.sqlite.backups) as store,
        asyncio.TaskGroup() as tasks,
    ):
        compacting = tasks.create_task(
            keep_compacting(
                store, age_seconds=history.age.total_seconds(), revisions=history.revisions, sleep=asyncio.sleep
            ),
            name="compacting",
        )
        try:
            yield store
        finally:
            compacting.cancel()


@asynccontextmanager
async def faces(
    section: Face | None,
    store: Store | None,
    rulings: Watchable[Ruling | None],
    manifests: Layers,
    rollouts: Rollouts,
) -> AsyncIterator[tuple[RpcFace, ...]]:
    """The face of the config API, or none; what `manifests` define over the store is not for clients to write."""
    if section is None or store is None:
        yield ()
        return

    def defined_in(key: ObjectKey) -> str:
        return str(manifests.over(StoredSource.name, key) or "")

    socket = Path(section.listen.path) if section.listen.path else None
    access, writing = RuledAccess(rulings, socket), Writing(store, defined_in)
    calls = Calls(store, access, writing, rollouts, _new_object, time.monotonic)
    async with health.told(service.SERVICE, rulings) as healthy:
        described = reflection.handlers(service.SERVICE, health.SERVICE)
        yield (RpcFace("config", section, (*service.handlers(calls), *healthy, *described), private=True),)


def _new_object() -> NewObject:
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return NewObject(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), str(uuid.uuid4()), suffix)
