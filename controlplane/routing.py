"""The part of a control plane that makes Envoys' configuration of registrations, and gives it to them.

In: settings. Out: the pipeline, the xDS service and what asks for discovery, joined by the values that they watch. Law:
nothing here listens, and nothing runs before somebody runs it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Self

import structlog
from prometheus_client import CollectorRegistry

from controlplane.admin.conditions import Sparing, Taken
from controlplane.admin.reports import Reports
from controlplane.aio import Watchable
from controlplane.auth.service import Keeping
from controlplane.deciding import asks_others
from controlplane.discovery.documents import Documents
from controlplane.discovery.refresh import Refresh
from controlplane.entrance import Entrance, entrance
from controlplane.errors import SettingsError
from controlplane.groups import views
from controlplane.model.apiservice import ServiceReference
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Backend, BackendKey, Endpoint, Topology
from controlplane.pipeline import Pipeline
from controlplane.registry.resolve import trust_of
from controlplane.registry.store import Registry
from controlplane.settings.face import RemovalLimit
from controlplane.settings.groups import described, group_of, metadata_keys
from controlplane.settings.settings import Core, Settings
from controlplane.settings.verdicts import VerdictCache
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation.own_tls import own_tls
from controlplane.translation.translate import Translator
from controlplane.translation.verdicts import VerdictTerms
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.report import proxies
from controlplane.xds.service import XdsService

# A watch of proxies looks this often: a person sees no difference, and with many proxies looking is not free.
_WATCH_SECONDS: Final = 0.25
_SETTLING_SECONDS: Final = 10.0
_PATIENCE: Final = timedelta(seconds=5)
# A webhook is asked again while it does not answer; kube-apiserver gives all of a request this long.
_PATIENCE_WITH_OTHERS: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Routing:
    """The parts; `keeping` says how long verdicts are kept, None for not at all."""

    pipeline: Pipeline
    xds: XdsService
    xds_metrics: XdsMetrics
    documents: Watchable[Documents]
    refresh: Refresh
    keeping: Keeping | None

    @classmethod
    def of(cls, settings: Settings, registry: CollectorRegistry, log: structlog.typing.FilteringBoundLogger) -> Self:
        """The parts as the settings want them; what they count is in `registry`.

        Raises:
            SettingsError: when a file that the settings name cannot be read or does not hold what it should.
        """
        topology, documents, snapshots = Watchable(Topology()), Watchable(Documents()), SnapshotCache()
        terms = _verdict_terms(settings.verdict_cache)
        inward = entrance(settings, terms)
        translator = _translator(settings, inward)
        pipeline = Pipeline(
            registry=Registry(dns_template=settings.dns.template, core=inward.server or _core(settings.core)),
            translator=translator,
            topology=topology,
            policy=Watchable(Policy()),
            snapshots=snapshots,
            log=log,
            groups=views(settings.node_groups, translator),
        )
        metrics = XdsMetrics(registry)
        xds = XdsService(
            snapshots,
            metrics,
            group_of=lambda node: group_of(settings.node_groups, node.cluster, dict(node.metadata)),
            keys=metadata_keys(settings.node_groups),
            looked_for=described(settings.node_groups),
            shrink_limit=_shrink_limit(settings.xds.removals),
            # The nodes of a group are alike: content that one of them cannot use is sent once.
            shares_rejections=True,
            clock=time.monotonic,
        )
        # A server behind a sidecar is asked by clients, and by nobody on their behalf.
        asked = topology if inward.server is None else Watchable(Topology())
        refresh = Refresh(asked, documents, settled=partial(_settled, xds))
        keeping = Keeping(terms.epoch, terms.milliseconds / 1000) if terms else None
        return cls(pipeline, xds, metrics, documents, refresh, keeping)

    @property
    def published(self) -> Watchable[Snapshot | None]:
        """A node group's latest snapshot: all groups have their first in one moment."""
        return self.pipeline.snapshots.watch(self.pipeline.groups[0].name)

    def connected(self) -> tuple[Proxy, ...]:
        """How far every proxy is."""
        return proxies(self.xds.statuses())

    def reports(self, problems: Callable[[], Iterable[Problem]]) -> Reports:
        """What there is to tell of it, with all `problems` there are."""
        looked = Sparing(lambda: Taken.by(self.connected()), time.monotonic)

        def taken() -> Taken:
            if any(self.xds.rejections(group.name) for group in self.pipeline.groups):
                return looked()
            # Nothing was ever rejected, which is the rule: then whether there is any proxy says all.
            streams = (sample.value for family in self.xds_metrics.streams.collect() for sample in family.samples)
            return Taken((), connected=any(streams))

        return Reports(
            topology=self.pipeline.topology,
            problems=problems,
            connected=self.connected,
            withheld=self.xds.withheld,
            confirm=self.xds.confirm_removals,
            epoch=epoch,
            pause=partial(asyncio.sleep, _WATCH_SECONDS),
            taken=taken,
            watched=Sparing(self.connected, time.monotonic),
        )


def epoch() -> float:
    """What to add to a time of the monotonic clock to get seconds since 1970, as the clock of the day stands now."""
    return time.time() - time.monotonic()


async def _settled(xds: XdsService) -> None:
    """Returns when all Envoys hold what they shall, or after some seconds; one that was waiting for us comes in two."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLING_SECONDS):
            while not xds.in_step():  # noqa: ASYNC110 - looked at seldom, and only after a change of hundreds
                await asyncio.sleep(_WATCH_SECONDS)


def _shrink_limit(limit: RemovalLimit) -> ShrinkLimit:
    return ShrinkLimit(limit.percent, limit.at_least, limit.within.total_seconds())


def _verdict_terms(cache: VerdictCache) -> VerdictTerms | None:
    if not cache.enabled:
        return None
    # Generations of policy begin anew with every process, and are compared within its own epoch only.
    epoch, milliseconds = secrets.token_hex(8), int(cache.ttl.total_seconds() * 1000)
    return VerdictTerms(epoch, cache.max_entries, milliseconds, shown=cache.debug_header)


def _translator(settings: Settings, inward: Entrance) -> Translator:
    return Translator(
        door=inward.door,
        sole=inward.apis,
        authorization=settings.authorization.reached_at,
        workers=tuple(face.reached_at for face in settings.authorization.worker_faces),
        discovery=settings.discovery.reached_at,
        authorization_tls=own_tls(settings.authorization, settings.envoy),
        discovery_tls=own_tls(settings.discovery, settings.envoy),
        patience=_PATIENCE_WITH_OTHERS if asks_others(settings) else _PATIENCE,
    )


def _core(core: Core | None) -> Backend | None:
    if core is None:
        return None
    address = core.address
    roots = _text(core.ca_file, "core.caFile").encode() if core.ca_file else b""
    return Backend(
        key=BackendKey(
            ServiceReference("", "core", address.port), trust_of(roots, insecure=core.insecure_skip_tls_verify)
        ),
        server_name=core.tls_server_name or address.host,
        endpoints=(Endpoint(address.host, address.port),),
        dns=not address.numeric,
        ca_bundle=roots,
    )


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(f"{setting}: {path} cannot be read ({reason}); mend the file or the setting") from error
