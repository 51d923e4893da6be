"""Authorization in this very process, be it the control plane or a worker.

In: settings and the watched policy. Out: the handlers of ext_authz and of its health. Law: both modes run this and
nothing else, so that where a request is decided makes no difference to how.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.auth.ruling import Rulings
from controlplane.auth.service import SERVICE, Keeping, handlers
from controlplane.deciding import rulings
from controlplane.faces import health, rpc
from controlplane.faces.rpc import Handler
from controlplane.model.policy import Policy
from controlplane.settings.settings import Settings
from controlplane.tracing.exporter import exporting


@dataclass(frozen=True, slots=True)
class Local:
    """What is to be served, and the rulings that must run for it to allow anything."""

    handlers: tuple[Handler, ...]
    rulings: Rulings


@asynccontextmanager
async def local(
    settings: Settings, policy: Watchable[Policy], registry: CollectorRegistry, keeping: Keeping | None
) -> AsyncIterator[Local]:
    """Authorization by the latest policy, while the context lasts; its metrics are made in `registry`."""
    deciding = rulings(settings, policy, registry)
    audited = settings.audit is not None
    checks = handlers(
        deciding.latest, clock=time.time, timer=time.perf_counter, registry=registry, keeping=keeping, audited=audited
    )
    async with AsyncExitStack() as stack:
        told = await stack.enter_async_context(health.told(SERVICE, deciding.latest))
        if (tracing := settings.tracing) is not None and tracing.sampling_rate_per_million:
            to_collector = exporting(tracing.endpoint, clock=time.time_ns, random=secrets.token_bytes)
            exporter = await stack.enter_async_context(to_collector)
            checks = [*rpc.traced(checks, partial(exporter.around, "authorization"))]
        yield Local((*checks, *told), deciding)
