"""The composition root: every part of a control plane, built and joined here and nowhere else.

In: `Settings`. Out: a running control plane, until SIGTERM or SIGINT. Law: the only module that knows all parts; what
can fail for a reason a person can mend fails before anything listens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from importlib import resources

import structlog
from prometheus_client import CollectorRegistry

from controlplane import configuring
from controlplane.admin.health import Health
from controlplane.admin.pages import application as metrics_pages
from controlplane.admin.reports import Reports
from controlplane.admin.service import explain_handlers
from controlplane.admin.service import handlers as status_handlers
from controlplane.audit.service import handlers as audit_handlers
from controlplane.auditing import Auditing
from controlplane.configapi.rollout import Rollouts
from controlplane.deciding import auth_files
from controlplane.discovery.refresh import at_once
from controlplane.discovery.service import application
from controlplane.explaining.explainer import Explainer
from controlplane.faces import pages, rpc
from controlplane.faces.rpc import RpcFace, admitted, joined
from controlplane.model.change import Object, ObjectKey
from controlplane.problems import Problems
from controlplane.process import Together, collecting_seldom, stop_signals, until_one_ends
from controlplane.readiness import readiness
from controlplane.routing import Routing, epoch
from controlplane.settings.settings import Settings
from controlplane.sources import Source
from controlplane.sources.credentials import CredentialsSource
from controlplane.sources.files import FilesSource
from controlplane.sources.layered import Layers
from controlplane.sources.manifest import decoded
from controlplane.sources.reading import Ahead
from controlplane.sources.stored import StoredSource
from controlplane.store.interface import Store
from controlplane.workers.authorization import Authorization, authorization
from controlplane.xds.admission import Admission
from controlplane.xds.csds import handlers as csds_handlers
from controlplane.xds.service import server_options


async def serve(
    settings: Settings, *, leave: Callable[[], Awaitable[None]] = at_once, ahead: Callable[[], Ahead] = Ahead
) -> None:
    """Runs a control plane until SIGTERM or SIGINT; then `leave` is awaited while everything is still served.

    `ahead` waits for what the manifests' files held a moment ago; see `Tree`.

    Raises:
        SettingsError: when a file that the settings name cannot be read or does not hold what it should.
        StartError: when an address cannot be listened on, or certificates cannot be used.
    """
    log = structlog.get_logger("isthmus")
    problems, metrics = Problems(log), CollectorRegistry()
    routing = Routing.of(settings, metrics, log)
    pipeline, policy = routing.pipeline, routing.pipeline.policy
    reports = routing.reports(problems.all)
    authorizing = authorization(settings, policy, metrics, routing.keeping, problems.reporter("authorization"))
    auditing = Auditing.of(settings.audit, metrics) if settings.audit is not None else None
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        store = await stack.enter_async_context(configuring.kept(settings.store, problems.reporter("store")))
        manifests = _manifests(settings, store, problems, ahead)
        credentials = CredentialsSource(settings, problems.reporter("credentials"))
        files = auth_files(settings, problems.reporter("auth files"))
        sources: tuple[Source, ...] = (credentials, files, *manifests.sources)
        await stack.enter_async_context(collecting_seldom(routing.published))
        if auditing is not None:
            await stack.enter_async_context(auditing.writer.running())
        authorized = await stack.enter_async_context(authorizing)
        explainer = _explainer(routing, authorized, manifests)
        parts = configuring.Parts(
            rulings=authorized.ruling,
            manifests=manifests,
            rollouts=Rollouts(pipeline.reached, routing.xds.awaiting, routing.connected),
            reports=reports,
            answer=explainer.explain,
            registry=metrics,
            recorder=None if auditing is None else auditing.recorder,
        )
        faces = [
            RpcFace("xds", settings.xds, _discovering(settings, routing, metrics), settings.xds.max_connection_age),
            *_told(settings, routing, reports, explainer),
            *_decided(settings, authorized, auditing),
            *await stack.enter_async_context(configuring.faces(settings.config, store, parts)),
        ]
        serving = Together()
        ready = readiness(
            going=lambda: not stop.is_set(),
            read=lambda: routing.published.value is not None,
            deciding=authorized.able,
            serving=lambda: serving.entered,
            known=lambda: pipeline.topology.value.generation > 0,
            # A sidecar has one Envoy, and without it serves nobody.
            connected=None if settings.sidecar is None else lambda: bool(routing.connected()),
            store=None if store is None else partial(problems.of, "store"),
            audit_log=None if auditing is None else auditing.writer.wrong,
            workers=authorized.checks,
        )
        if settings.metrics is not None:
            told = metrics_pages(metrics, Health("livez"), ready, routing.connected, epoch, counted=authorized.counted)
            await stack.enter_async_context(pages.listening("metrics", settings.metrics, told, problems.reporter))
        await stack.enter_async_context(serving)
        for face in joined(faces):
            await serving.enter(rpc.listening(face, server_options(), problems.reporter))
        discovery = application(pipeline.topology, routing.documents, routing.refresh.recheck_core)
        await serving.enter(pages.listening("discovery", settings.discovery, discovery, problems.reporter))
        log.info("serving", xds=str(settings.xds.listen), manifests=str(settings.manifests))

        async def stopped() -> None:
            await stop.wait()
            log.info("stopping")
            await leave()
            # What decides and what is decided about lives on until nobody asks any more.
            await serving.leave()

        following = (auditing.follow(policy),) if auditing is not None else ()
        await until_one_ends(
            *(asyncio.create_task(each, name="audit policy") for each in following),
            asyncio.create_task(pipeline.run(sources), name="pipeline"),
            asyncio.create_task(authorized.run(), name="authorization"),
            asyncio.create_task(routing.refresh.run(), name="discovery"),
            asyncio.create_task(stopped(), name="stop"),
        )
    log.info("stopped")


def _explainer(routing: Routing, authorized: Authorization, manifests: Layers) -> Explainer:
    return Explainer(
        authorized.ruling,
        routing.pipeline.topology,
        routing.pipeline.snapshots,
        routing.connected,
        groups=tuple(group.name for group in routing.pipeline.groups),
        keeping=routing.keeping,
        clock=time.time,
        origin_of=manifests.origin,
    )


def _discovering(settings: Settings, routing: Routing, metrics: CollectorRegistry) -> tuple[rpc.Handler, ...]:
    admission = Admission(settings.xds.max_streams, settings.xds.max_new_streams_per_second)
    return admitted(routing.xds.handlers(), admission, metrics)


def _told(settings: Settings, routing: Routing, reports: Reports, explainer: Explainer) -> Iterator[RpcFace]:
    """The face of the administration, where there is one."""
    if settings.admin is not None:
        proxies = csds_handlers(routing.connected, epoch)
        handlers = (*proxies, *status_handlers(reports), *explain_handlers(explainer.explain))
        yield RpcFace("admin", settings.admin, handlers)


def _decided(settings: Settings, authorized: Authorization, auditing: Auditing | None) -> Iterator[RpcFace]:
    """The face that Envoy asks; with workers, and nothing to audit, it has nothing to ask here."""
    recording = audit_handlers(auditing.recorder) if auditing is not None else ()
    if own := (*authorized.handlers, *recording):
        yield RpcFace("authorization", settings.authorization, own)


def _manifests(settings: Settings, store: Store | None, problems: Problems, ahead: Callable[[], Ahead]) -> Layers:
    defaults = _default_policy("bootstrap_policy.yaml", problems)
    if settings.authorizers.default_policy == "kubernetes":
        defaults |= _default_policy("kubernetes_policy.yaml", problems)
    stored = [] if store is None else [StoredSource(store, problems.reporter("stored"))]
    files = FilesSource(settings.manifests, problems.reporter("files"), ahead=ahead)
    return Layers((files, *stored), defaults, problems.reporter("layers"))


def _default_policy(name: str, problems: Problems) -> dict[ObjectKey, Object]:
    defaults, defects = decoded(resources.files("controlplane.auth").joinpath(name).read_bytes(), name)
    problems.reporter(name)(defects)
    return dict(defaults)
