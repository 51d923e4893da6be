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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from controlplane.access import RuledAccess
from controlplane.admin import explain
from controlplane.admin.reports import Reports
from controlplane.aio import Watchable
from controlplane.audit.recorder import Recorder
from controlplane.auth.ruling import Ruling
from controlplane.configapi import service
from controlplane.configapi.calls import Calls, NewObject
from controlplane.configapi.inspecting import Inspecting
from controlplane.configapi.metrics import CallMetrics
from controlplane.configapi.observing import Observing
from controlplane.configapi.rollout import Rollouts
from controlplane.configapi.standings import Standings
from controlplane.configapi.writing import Writing
from controlplane.faces import health, reflection
from controlplane.faces.rpc import RpcFace
from controlplane.model.change import ObjectKey
from controlplane.model.problem import Problem
from controlplane.recording import Recording
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the face joins; what `manifests` define over the store is not for clients to write.

    `recorder` is None where there is no audit log.
    """

    rulings: Watchable[Ruling | None]
    manifests: Layers
    rollouts: Rollouts
    reports: Reports
    answer: explain.Answer
    registry: CollectorRegistry
    recorder: Recorder | None = None


@asynccontextmanager
async def faces(section: Face | None, store: Store | None, parts: Parts) -> AsyncIterator[tuple[RpcFace, ...]]:
    """The face of the config API, or none."""
    if section is None or store is None:
        yield ()
        return
    reports, manifests = parts.reports, parts.manifests

    def defined_in(key: ObjectKey) -> str:
        return str(manifests.over(StoredSource.name, key) or "")

    socket = Path(section.listen.path) if section.listen.path else None
    standings = Standings(reports.standing, reports.pause)
    calls = Calls(store, Writing(store, defined_in), parts.rollouts, standings, _new_object, time.monotonic)
    observing = Observing(
        CallMetrics(parts.registry),
        Recording(parts.recorder) if parts.recorder is not None else lambda _: None,
        new_id=lambda: str(uuid.uuid4()),
        now=time.time_ns,
        clock=time.monotonic,
    )
    inspecting = Inspecting(reports, partial(explain.answered, parts.answer))
    access = RuledAccess(parts.rulings, socket)
    described = reflection.handlers(*service.SERVICES, health.SERVICE)
    async with health.told(service.SERVICE, parts.rulings) as healthy, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(standings.run(), name="conditions")
        handlers = (*service.handlers(calls, inspecting, access, observing), *healthy, *described)
        try:
            yield (RpcFace("config", section, handlers, private=True),)
        finally:
            looking.cancel()


def _new_object() -> NewObject:
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX))
    return NewObject(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), str(uuid.uuid4()), suffix)
