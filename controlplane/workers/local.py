"""Authorization in this very process, be it the control plane or a worker.

In: settings and the watched policy. Out: what answers Check calls. Law: both modes run this and
nothing else, so that where a request is decided makes no difference to how.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.metrics import AuthorizationMetrics
from controlplane.auth.ruling import Rulings
from controlplane.auth.service import Answer, Checks, Keeping
from controlplane.deciding import rulings
from controlplane.model.policy import Policy
from controlplane.settings.settings import Settings
from controlplane.tracing.exporter import Metadata, exporting


@dataclass(frozen=True, slots=True)
class Local:
    """What answers, and the rulings that must run for it to allow anything."""

    answer: Answer
    rulings: Rulings


@asynccontextmanager
async def local(
    settings: Settings, policy: Watchable[Policy], registry: CollectorRegistry, keeping: Keeping | None
) -> AsyncIterator[Local]:
    """Authorization by the latest policy, while the context lasts; its metrics are made in `registry`."""
    deciding = rulings(settings, policy, registry)
    checks = Checks(
        deciding.latest,
        clock=time.time,
        timer=time.perf_counter,
        metrics=AuthorizationMetrics(registry),
        keeping=keeping,
        audited=settings.audit is not None,
    )

    async def answer(request: bytes, _: Metadata) -> bytes:
        return await checks.answer(request)

    tracing = settings.tracing
    if tracing is None or not tracing.sampling_rate_per_million:
        yield Local(answer, deciding)
        return
    async with exporting(tracing.endpoint, clock=time.time_ns, random=secrets.token_bytes) as exporter:

        async def traced(request: bytes, metadata: Metadata) -> bytes:
            with exporter.around("authorization", metadata):
                return await checks.answer(request)

        yield Local(traced, deciding)
