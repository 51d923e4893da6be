"""Authorization as the control plane has it: in its own process, or in workers.

In: settings and the watched policy. Out: one way to run, to serve, and to look at either. Law: with workers the control
plane itself answers no Check.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.ruling import Ruling
from controlplane.auth.service import SERVICE, Keeping, handlers
from controlplane.deciding import rulings
from controlplane.faces import health
from controlplane.faces.rpc import Handler
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.settings.settings import Settings
from controlplane.workers.local import local
from controlplane.workers.pool import Workers, launched
from controlplane.workers.worker import start


@dataclass(frozen=True, slots=True)
class Authorization:
    """`run` runs until it is cancelled; `handlers` are for the control plane's own face."""

    handlers: tuple[Handler, ...]
    run: Callable[[], Coroutine[Any, Any, object]]
    able: Callable[[], bool]
    """Whether any request can be allowed."""
    checks: Callable[[], dict[str, str]]
    """What is wrong with each of its parts, "" for nothing."""
    counted: Callable[[], Awaitable[None]]
    """Brings the metrics in the registry up to date."""
    ruling: Watchable[Ruling | None]
    """By what it decides, for whoever asks why; None for ever with workers and nobody who could ask."""


@asynccontextmanager
async def authorization(
    settings: Settings,
    policy: Watchable[Policy],
    registry: CollectorRegistry,
    keeping: Keeping | None,
    report: Callable[[Iterable[Problem]], None],
) -> AsyncIterator[Authorization]:
    """Authorization where the settings want it; `report` hears of all Problems with workers."""
    count = settings.authorization.workers
    if not count:
        async with local(settings, policy, registry, keeping) as here:
            latest = here.rulings.latest
            async with health.told(SERVICE, latest) as told:
                served = (*handlers(here.answer), *told)
                yield Authorization(served, here.rulings.run, lambda: latest.value is not None, dict, _nothing, latest)
        return
    workers = Workers(
        count,
        partial(start, settings, keeping),
        policy,
        launch=launched,
        report=report,
        registry=registry,
        clock=time.monotonic,
    )

    def able() -> bool:
        return any(each.generation for each in workers.standings)

    def checks() -> dict[str, str]:
        return {f"authorization-worker-{each.number}": each.wrong for each in workers.standings}

    # Workers make theirs of the same policy and the same files.
    explained = rulings(settings, policy, CollectorRegistry())

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workers.run(), name="workers")
            if settings.admin is not None or settings.config is not None:
                tasks.create_task(explained.run(), name="rulings")

    yield Authorization((), run, able, checks, workers.counted, explained.latest)


async def _nothing() -> None:
    """What is counted here is up to date."""
