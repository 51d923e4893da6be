"""The composition root: every part of a control plane, built and joined here and nowhere else.

In: `Settings`. Out: a running control plane, until SIGTERM or SIGINT. Law: the only module that knows all parts; what
can fail for a reason a person can mend fails before anything listens.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from controlplane import configuring
from controlplane.admin.health import Health
from controlplane.admin.pages import application as metrics_pages
from controlplane.admin.service import explain_handlers
from controlplane.admin.service import handlers as status_handlers
from controlplane.aio import Watchable
from controlplane.audit.service import handlers as audit_handlers
from controlplane.auditing import Auditing
from controlplane.auth.service import Keeping
from controlplane.configapi.rollout import Rollouts
from controlplane.deciding import asks_others, auth_files
from controlplane.discovery.documents import Documents
from controlplane.discovery.refresh import Refresh, at_once
from controlplane.discovery.service import application
from controlplane.entrance import Entrance, entrance
from controlplane.errors import SettingsError
from controlplane.explaining.explainer import Explainer
from controlplane.faces import pages, rpc
from controlplane.faces.rpc import RpcFace, admitted, joined
from controlplane.groups import views
from controlplane.model.apiservice import ServiceReference
from controlplane.model.change import Object, ObjectKey
from controlplane.model.policy import Policy
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Backend, BackendKey, Endpoint, Topology
from controlplane.pipeline import Pipeline
from controlplane.problems import Problems
from controlplane.process import Together, collecting_seldom, stop_signals, until_one_ends
from controlplane.readiness import readiness
from controlplane.registry.resolve import trust_of
from controlplane.registry.store import Registry
from controlplane.settings.face import RemovalLimit
from controlplane.settings.groups import described, group_of, metadata_keys
from controlplane.settings.settings import Core, Settings
from controlplane.settings.verdicts import VerdictCache
from controlplane.snapshot.cache import SnapshotCache
from controlplane.sources import Source
from controlplane.sources.credentials import CredentialsSource
from controlplane.sources.files import FilesSource
from controlplane.sources.layered import Layers
from controlplane.sources.manifest import decoded
from controlplane.sources.stored import StoredSource
from controlplane.store.interface import Store
from controlplane.translation.own_tls import own_tls
from controlplane.translation.translate import Translator
from controlplane.translation.verdicts import VerdictTerms
from controlplane.workers.authorization import authorization
from controlplane.xds.admission import Admission
from controlplane.xds.csds import handlers as csds_handlers
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.report import proxies
from controlplane.xds.service import XdsService, server_options

# A watch of proxies looks this often: a person sees no difference, and with many proxies looking is not free.
_WATCH_SECONDS: Final = 0.25
_SETTLING_SECONDS: Final = 10.0
_PATIENCE: Final = timedelta(seconds=5)
# A webhook is asked again while it does not answer; kube-apiserver gives all of a request this long.
_PATIENCE_WITH_OTHERS: Final = timedelta(seconds=60)


async def serve(settings: Settings, *, leave: Callable[[], Awaitable[None]] = at_once) -> None:
    """Runs a control plane until SIGTERM or SIGINT; then `leave` is awaited while everything is still served.

    Raises:
        SettingsError: when a file that the settings name cannot be read or does not hold what it should.
        StartError: when an address cannot be listened on, or certificates cannot be used.
    """
    log = structlog.get_logger("isthmus")
    problems = Problems(log)
    topology, policy = Watchable(Topology()), Watchable(Policy())
    documents, snapshots = Watchable(Documents()), SnapshotCache()
    terms = _verdict_terms(settings.verdict_cache)
    inward = entrance(settings, terms)
    translator = _translator(settings, inward)
    groups = views(settings.node_groups, translator)
    pipeline = Pipeline(
        registry=Registry(dns_template=settings.dns.template, core=inward.server or _core(settings.core)),
        translator=translator,
        topology=topology,
        policy=policy,
        snapshots=snapshots,
        log=log,
        groups=groups,
    )
    metrics = CollectorRegistry()
    xds = XdsService(
        snapshots,
        XdsMetrics(metrics),
        group_of=lambda node: group_of(settings.node_groups, node.cluster, dict(node.metadata)),
        keys=metadata_keys(settings.node_groups),
        looked_for=described(settings.node_groups),
        shrink_limit=_shrink_limit(settings.xds.removals),
        clock=time.monotonic,
    )
    # A server behind a sidecar is asked by clients, and by nobody on their behalf.
    asked = topology if inward.server is None else Watchable(Topology())
    refresh = Refresh(asked, documents, settled=partial(_settled, xds))
    # All groups have their first snapshot in one moment.
    published = snapshots.watch(groups[0].name)
    admission = Admission(settings.xds.max_streams, settings.xds.max_new_streams_per_second)
    discovering = admitted(xds.handlers(), admission, metrics)
    keeping = Keeping(terms.epoch, terms.milliseconds / 1000) if terms else None
    authorizing = authorization(settings, policy, metrics, keeping, problems.reporter("authorization"))
    auditing = Auditing.of(settings.audit, metrics) if settings.audit is not None else None
    recording = audit_handlers(auditing.recorder) if auditing is not None else []
    faces = [RpcFace("xds", settings.xds, discovering, settings.xds.max_connection_age)]

    def connected() -> tuple[Proxy, ...]:
        return proxies(xds.statuses())

    if settings.admin is not None:
        telling = status_handlers(
            topology,
            problems.all,
            connected,
            withheld=xds.withheld,
            confirm=xds.confirm_removals,
            epoch=_epoch,
            pause=partial(asyncio.sleep, _WATCH_SECONDS),
        )
        faces.append(RpcFace("admin", settings.admin, (*csds_handlers(connected, _epoch), *telling)))
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(stop_signals())
        store = await stack.enter_async_context(configuring.kept(settings.store, problems.reporter("store")))
        manifests = _manifests(settings, store, problems)
        credentials = CredentialsSource(settings, problems.reporter("credentials"))
        files = auth_files(settings, problems.reporter("auth files"))
        sources: tuple[Source, ...] = (credentials, files, *manifests.sources)
        await stack.enter_async_context(collecting_seldom(published))
        if auditing is not None:
            await stack.enter_async_context(auditing.writer.running())
        authorized = await stack.enter_async_context(authorizing)
        # With workers, and nothing to audit, Envoy has nothing to ask here.
        if own := (*authorized.handlers, *recording):
            faces.append(RpcFace("authorization", settings.authorization, own))
        if settings.admin is not None:
            explainer = Explainer(
                authorized.ruling,
                topology,
                snapshots,
                connected,
                groups=tuple(group.name for group in groups),
                keeping=keeping,
                clock=time.time,
                origin_of=manifests.origin,
            )
            faces.append(RpcFace("admin", settings.admin, tuple(explain_handlers(explainer.explain))))
        rollouts = Rollouts(pipeline.reached, xds.awaiting, connected)
        configured = configuring.faces(settings.config, store, authorized.ruling, manifests, rollouts)
        faces += await stack.enter_async_context(configured)
        serving = Together()
        ready = readiness(
            going=lambda: not stop.is_set(),
            read=lambda: published.value is not None,
            deciding=authorized.able,
            serving=lambda: serving.entered,
            known=lambda: topology.value.generation > 0,
            # A sidecar has one Envoy, and without it serves nobody.
            connected=None if settings.sidecar is None else lambda: bool(connected()),
            store=None if store is None else partial(problems.of, "store"),
            audit_log=None if auditing is None else auditing.writer.wrong,
            workers=authorized.checks,
        )
        if settings.metrics is not None:
            told = metrics_pages(metrics, Health("livez"), ready, connected, _epoch, counted=authorized.counted)
            await stack.enter_async_context(pages.listening("metrics", settings.metrics, told, problems.reporter))
        await stack.enter_async_context(serving)
        for face in joined(faces):
            await serving.enter(rpc.listening(face, server_options(), problems.reporter))
        discovery = application(topology, documents, refresh.recheck_core)
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
            asyncio.create_task(refresh.run(), name="discovery"),
            asyncio.create_task(stopped(), name="stop"),
        )
    log.info("stopped")


async def _settled(xds: XdsService) -> None:
    """Returns when all Envoys hold what they shall, or after some seconds; one that was waiting for us comes in two."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLING_SECONDS):
            while not xds.in_step():  # noqa: ASYNC110 - looked at seldom, and only after a change of hundreds
                await asyncio.sleep(_WATCH_SECONDS)


def _epoch() -> float:
    """What to add to a time of the monotonic clock to get seconds since 1970, as the clock of the day stands now."""
    return time.time() - time.monotonic()


def _shrink_limit(limit: RemovalLimit) -> ShrinkLimit:
    return ShrinkLimit(limit.percent, limit.at_least, limit.within.total_seconds())


def _manifests(settings: Settings, store: Store | None, problems: Problems) -> Layers:
    defaults = _default_policy("bootstrap_policy.yaml", problems)
    if settings.authorizers.default_policy == "kubernetes":
        defaults |= _default_policy("kubernetes_policy.yaml", problems)
    stored = [] if store is None else [StoredSource(store, problems.reporter("stored"))]
    files = FilesSource(settings.manifests, problems.reporter("files"))
    return Layers((files, *stored), defaults, problems.reporter("layers"))


def _default_policy(name: str, problems: Problems) -> dict[ObjectKey, Object]:
    defaults, defects = decoded(resources.files("controlplane.auth").joinpath(name).read_bytes(), name)
    problems.reporter(name)(defects)
    return dict(defaults)


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
