"""The composition root: every part of a control plane, built and joined here and nowhere else.

In: `Settings`. Out: a running control plane, until SIGTERM or SIGINT. Law: the only module that knows all parts; what
can fail for a reason a person can mend fails before anything listens.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from controlplane.admin.pages import application as metrics_pages
from controlplane.admin.service import handlers as status_handlers
from controlplane.aio import Watchable
from controlplane.auth.authenticate import Authentication
from controlplane.auth.service import Keeping
from controlplane.auth.service import handlers as authorization_handlers
from controlplane.auth.tokens import load_tokens
from controlplane.discovery.documents import Documents
from controlplane.discovery.refresh import Refresh
from controlplane.discovery.service import application
from controlplane.errors import SettingsError
from controlplane.faces import pages, rpc
from controlplane.faces.rpc import RpcFace, admitted, joined
from controlplane.groups import views
from controlplane.model.apiservice import ServiceReference
from controlplane.model.policy import Policy
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Backend, BackendKey, Endpoint, Topology
from controlplane.pipeline import Pipeline
from controlplane.problems import Problems
from controlplane.process import collecting_seldom, stop_signals, until_one_ends
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
from controlplane.sources.layered import WithDefaults
from controlplane.sources.manifest import decoded
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.own_tls import own_tls
from controlplane.translation.translate import Translator
from controlplane.translation.verdicts import VerdictTerms
from controlplane.xds.admission import Admission
from controlplane.xds.csds import handlers as csds_handlers
from controlplane.xds.guard import ShrinkLimit
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.report import proxies
from controlplane.xds.service import XdsService, server_options

# A watch of proxies looks this often: a person sees no difference, and with many proxies looking is not free.
_WATCH_SECONDS: Final = 0.25
_SETTLING_SECONDS: Final = 10.0


async def serve(settings: Settings) -> None:
    """Runs a control plane until SIGTERM or SIGINT.

    Raises:
        SettingsError: when a file that the settings name cannot be read or does not hold what it should.
        StartError: when an address cannot be listened on, or certificates cannot be used.
    """
    log = structlog.get_logger("isthmus")
    problems = Problems(log)
    topology, policy = Watchable(Topology()), Watchable(Policy())
    documents, snapshots = Watchable(Documents()), SnapshotCache()
    authentication = Watchable[Authentication | None](_authentication(settings, problems))
    terms = _verdict_terms(settings.verdict_cache)
    translator = _translator(settings, terms)
    groups = views(settings.node_groups, translator)
    pipeline = Pipeline(
        registry=Registry(dns_template=settings.dns.template, core=_core(settings.core)),
        translator=translator,
        topology=topology,
        policy=policy,
        snapshots=snapshots,
        log=log,
        groups=groups,
    )
    sources = _sources(settings, problems)
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
    refresh = Refresh(topology, documents, settled=partial(_settled, xds))
    # All groups have their first snapshot in one moment.
    published = snapshots.watch(groups[0].name)
    admission = Admission(settings.xds.max_streams, settings.xds.max_new_streams_per_second)
    discovering = admitted(xds.handlers(), admission, metrics)
    authorizing = authorization_handlers(
        policy,
        authentication,
        clock=time.time,
        timer=time.perf_counter,
        registry=metrics,
        keeping=Keeping(terms.epoch, terms.milliseconds / 1000) if terms else None,
    )
    faces = [
        RpcFace("xds", settings.xds, discovering, settings.xds.max_connection_age),
        RpcFace("authorization", settings.authorization, tuple(authorizing)),
    ]

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
        await stack.enter_async_context(collecting_seldom(published))
        for face in joined(faces):
            await stack.enter_async_context(rpc.listening(face, server_options(), problems.reporter))
        discovery = application(topology, documents, refresh.recheck_core)
        listening = pages.listening("discovery", settings.discovery, discovery, problems.reporter)
        await stack.enter_async_context(listening)
        if settings.metrics is not None:
            told = metrics_pages(metrics, lambda: published.value is not None, connected, _epoch)
            await stack.enter_async_context(pages.listening("metrics", settings.metrics, told, problems.reporter))
        log.info("serving", xds=str(settings.xds.listen), manifests=str(settings.manifests))
        await until_one_ends(
            asyncio.create_task(pipeline.run(sources), name="pipeline"),
            asyncio.create_task(refresh.run(), name="discovery"),
            asyncio.create_task(stop.wait(), name="stop"),
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


def _sources(settings: Settings, problems: Problems) -> tuple[Source, ...]:
    policy = resources.files("controlplane.auth").joinpath("bootstrap_policy.yaml").read_bytes()
    defaults, defects = decoded(policy, "bootstrap_policy.yaml")
    problems.reporter("bootstrap policy")(defects)
    return (
        CredentialsSource(settings, problems.reporter("credentials")),
        WithDefaults(FilesSource(settings.manifests, problems.reporter("files")), dict(defaults)),
    )


def _verdict_terms(cache: VerdictCache) -> VerdictTerms | None:
    if not cache.enabled:
        return None
    # Generations of policy begin anew with every process, and are compared within its own epoch only.
    epoch, milliseconds = secrets.token_hex(8), int(cache.ttl.total_seconds() * 1000)
    return VerdictTerms(epoch, cache.max_entries, milliseconds, shown=cache.debug_header)


def _translator(settings: Settings, terms: VerdictTerms | None) -> Translator:
    lua = resources.files("controlplane.dataplane").joinpath("lua")
    scripts = Scripts(
        **{name: lua.joinpath(f"{name}.lua").read_text() for name in ("verdicts", "scope", "arrival", "identity")}
    )
    return Translator(
        door=FrontDoor(
            address=settings.front_door.address,
            port=settings.front_door.port,
            scripts=scripts,
            asks_for_client_certificates=settings.front_door.client_ca_file is not None,
            verdicts=terms,
        ),
        authorization=settings.authorization.reached_at,
        discovery=settings.discovery.reached_at,
        authorization_tls=own_tls(settings.authorization, settings.envoy),
        discovery_tls=own_tls(settings.discovery, settings.envoy),
    )


def _authentication(settings: Settings, problems: Problems) -> Authentication:
    path = settings.authentication.token_file
    if path is None:
        return Authentication(anonymous=settings.authentication.anonymous)
    # The key lives as long as the process: the table of hashes is of no use to anybody else.
    tokens, defects = load_tokens(_text(path, "authentication.tokenFile"), str(path), secrets.token_bytes(32))
    problems.reporter("tokens")(defects)
    return Authentication(tokens, anonymous=settings.authentication.anonymous)


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
