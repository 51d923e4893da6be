"""The composition root: every part of a control plane, built and joined here and nowhere else.

In: `Settings`. Out: a running control plane, until SIGTERM or SIGINT. Law: the only module that knows all parts; what
can fail for a reason a person can mend fails before anything listens.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

import grpc
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from controlplane.admin.pages import application as metrics_pages
from controlplane.admin.service import handlers as status_handlers
from controlplane.aio import Watchable
from controlplane.auth.authenticate import Authentication
from controlplane.auth.service import handlers as authorization_handlers
from controlplane.auth.tokens import load_tokens
from controlplane.discovery.documents import Documents
from controlplane.discovery.refresh import Refresh
from controlplane.discovery.service import application
from controlplane.errors import IsthmusError, SettingsError, StartError
from controlplane.model.apiservice import ServiceReference
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.model.proxy import Proxy
from controlplane.model.topology import Backend, BackendKey, Endpoint, Topology
from controlplane.pipeline import Pipeline
from controlplane.registry.resolve import trust_of
from controlplane.registry.store import Registry
from controlplane.settings.address import Address
from controlplane.settings.settings import Core, Settings
from controlplane.snapshot.cache import SnapshotCache
from controlplane.snapshot.snapshot import Snapshot
from controlplane.sources import Source
from controlplane.sources.credentials import CredentialsSource
from controlplane.sources.files import FilesSource
from controlplane.sources.layered import WithDefaults
from controlplane.sources.manifest import decoded
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.translate import Translator
from controlplane.xds.csds import handlers as csds_handlers
from controlplane.xds.metrics import XdsMetrics
from controlplane.xds.report import proxies
from controlplane.xds.service import XdsService, server_options

# How many more objects there must be than before until the collector looks for cycles. With Python's own 700 it took a
# seventh of the time of 1,000 streams, and held everything up for half a second now and then with 10,000 APIServices.
_COLLECT_AFTER: Final = (20_000, 20, 20)

# After a signal, calls under way get this long before they are cut.
_GRACE_SECONDS: Final = 1.0
# A watch of proxies looks this often: a person sees no difference, and with many proxies looking is not free.
_WATCH_SECONDS: Final = 0.25


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
    refresh = Refresh(topology, documents)
    authentication = Watchable[Authentication | None](_authentication(settings, problems))
    pipeline = Pipeline(
        registry=Registry(dns_template=settings.dns.template, core=_core(settings.core)),
        translator=_translator(settings),
        topology=topology,
        policy=policy,
        snapshots=snapshots,
        log=log,
    )
    sources = _sources(settings, problems)
    metrics = CollectorRegistry()
    faces: defaultdict[Address, list[grpc.GenericRpcHandler]] = defaultdict(list)
    xds = XdsService(snapshots, XdsMetrics(metrics), clock=time.monotonic)
    faces[settings.xds.listen] += xds.handlers()
    faces[settings.authorization.listen] += authorization_handlers(
        policy, authentication, clock=time.time, timer=time.perf_counter, registry=metrics
    )

    def connected() -> tuple[Proxy, ...]:
        return proxies(xds.statuses(), snapshots.latest() or Snapshot(), xds.rejections())

    if settings.admin is not None:
        faces[settings.admin.listen] += csds_handlers(connected, _epoch)
        faces[settings.admin.listen] += status_handlers(
            topology, problems.all, connected, epoch=_epoch, pause=partial(asyncio.sleep, _WATCH_SECONDS)
        )
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(_stop_signals())
        await stack.enter_async_context(_collecting_seldom(snapshots))
        for address, handlers in faces.items():
            await stack.enter_async_context(_grpc_face(address, handlers))
        discovery = application(topology, documents, refresh.recheck_core)
        await stack.enter_async_context(_http_face(settings.discovery.listen, discovery))
        if settings.metrics is not None:
            pages = metrics_pages(metrics, lambda: snapshots.latest() is not None, connected, _epoch)
            await stack.enter_async_context(_http_face(settings.metrics.listen, pages))
        log.info("serving", xds=str(settings.xds.listen), manifests=str(settings.manifests))
        await _until_one_ends(
            asyncio.create_task(pipeline.run(sources), name="pipeline"),
            asyncio.create_task(refresh.run(), name="discovery"),
            asyncio.create_task(stop.wait(), name="stop"),
        )
    log.info("stopped")


class Problems:
    """What is wrong at the moment, by who says so; the log is told once when a problem comes and once when it goes."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        self._log = log
        self._known: dict[str, frozenset[Problem]] = {}

    def reporter(self, source: str) -> Callable[[Iterable[Problem]], None]:
        """What `source` calls with all the problems it has now."""
        return partial(self._take, source)

    def all(self) -> frozenset[Problem]:
        """Every problem there is."""
        return frozenset().union(*self._known.values())

    def _take(self, source: str, problems: Iterable[Problem]) -> None:
        before, now = self._known.get(source, frozenset()), frozenset(problems)
        for problem in sorted(now - before):
            self._log.warning("problem", problem=str(problem))
        for problem in sorted(before - now):
            self._log.info("problem solved", problem=str(problem))
        self._known[source] = now


def _epoch() -> float:
    """What to add to a time of the monotonic clock to get seconds since 1970, as the clock of the day stands now."""
    return time.time() - time.monotonic()


def _sources(settings: Settings, problems: Problems) -> tuple[Source, ...]:
    policy = resources.files("controlplane.auth").joinpath("bootstrap_policy.yaml").read_bytes()
    defaults, defects = decoded(policy, "bootstrap_policy.yaml")
    problems.reporter("bootstrap policy")(defects)
    return (
        CredentialsSource(settings, problems.reporter("credentials")),
        WithDefaults(FilesSource(settings.manifests, problems.reporter("files")), dict(defaults)),
    )


def _translator(settings: Settings) -> Translator:
    lua = resources.files("controlplane.dataplane").joinpath("lua")
    scripts = Scripts(scope=lua.joinpath("scope.lua").read_text(), identity=lua.joinpath("identity.lua").read_text())
    return Translator(
        door=FrontDoor(
            address=settings.front_door.address,
            port=settings.front_door.port,
            scripts=scripts,
            asks_for_client_certificates=settings.front_door.client_ca_file is not None,
        ),
        authorization=settings.authorization.reached_at,
        discovery=settings.discovery.reached_at,
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


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _collecting_seldom(snapshots: SnapshotCache) -> AsyncIterator[None]:
    """Has the garbage collector look seldom, and never again at what was there at the first publication."""

    async def freeze() -> None:
        await snapshots.watch().changed(None)
        gc.freeze()

    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AFTER)
    freezing = asyncio.create_task(freeze(), name="freeze")
    try:
        yield
    finally:
        freezing.cancel()
        gc.unfreeze()
        gc.set_threshold(*before)


@asynccontextmanager
async def _grpc_face(address: Address, handlers: Sequence[grpc.GenericRpcHandler]) -> AsyncIterator[None]:
    server = grpc.aio.server(options=server_options())
    server.add_generic_rpc_handlers(tuple(handlers))
    try:
        server.add_insecure_port(f"unix:{address.path}" if address.path else str(address))
    except RuntimeError as error:
        raise _not_listening(address) from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(_GRACE_SECONDS)


@asynccontextmanager
async def _http_face(address: Address, application: web.Application) -> AsyncIterator[None]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        site = web.UnixSite(runner, address.path) if address.path else web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise _not_listening(address) from error
        yield
    finally:
        await runner.cleanup()


def _not_listening(address: Address) -> StartError:
    return StartError(f"{address} cannot be listened on; end what listens there, or choose another address")


async def _until_one_ends(*tasks: asyncio.Task[object]) -> None:
    """Waits until one task ends, ends the others, and raises what the first raised."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        try:
            task.result()
        except* IsthmusError as group:
            raise _first(group) from None


def _first(group: BaseExceptionGroup[IsthmusError]) -> IsthmusError:
    """The first of what several tasks failed for: one reason is what a person can act on."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
