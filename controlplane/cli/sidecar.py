"""`isthmus sidecar`: control plane and Envoy beside one API server or one client, in the foreground.

In: a command line, a settings file, or both. Out: a front door before the server, or a local endpoint for the client,
until SIGTERM or SIGINT. Law: no key or certificate is made here; when this ends, requests that are under way have had
time to be answered, and Envoy has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import structlog

from controlplane import app, telemetry
from controlplane.cli import beside, envoy, groundwork, ports, workspace
from controlplane.cli.beside import Options
from controlplane.cli.delegated import Cluster
from controlplane.cli.draining import drained
from controlplane.cli.supervise import Program, Supervisor, launch, once_there
from controlplane.cli.workspace import Workspace
from controlplane.errors import StartError
from controlplane.process import until_one_ends
from controlplane.settings.address import Address
from controlplane.settings.load import checked, read
from controlplane.settings.settings import Settings
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.own_tls import own_tls

# Envoy closes its connections over this time; requests under way may take as long, watches are cut then.
_DRAIN_SECONDS: Final = 5

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Address | None:
    try:
        return Address.parse(value) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("sidecar")
@click.option("--config", type=_FILE, help="A settings file (YAML); the other options come before it.")
@click.option(
    "--upstream", metavar="ADDRESS", help="The API server to stand before: HOST:PORT or unix:/path, plain HTTP."
)
@click.option("--group", help="The API group it serves.")
@click.option("--version", "versions", multiple=True, help="A version of that group; may be repeated.")
@click.option(
    "--api", "apis", multiple=True, metavar="GROUP/VERSION", help="A group-version it serves; may be repeated."
)
@click.option("--http2", is_flag=True, help="Speak HTTP/2 to it (h2c).")
@click.option("--allow-remote-upstream", is_flag=True, help="It may listen where other machines reach it.")
@click.option("--server", metavar="URL", help="Beside a client: the API server, https://HOST:PORT.")
@click.option("--ca-file", type=_FILE, help="Who may have signed its certificate (PEM; default: the system's roots).")
@click.option("--token-file", type=_FILE, help="The bearer token it is shown.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    callback=_address,
    help="Where to listen: HOST:PORT (default: 127.0.0.1:8443 before a server, 127.0.0.1:8001 for a client).",
)
@click.option("--certificate-file", type=_FILE, help="What clients, or the API server, are shown (PEM).")
@click.option("--private-key-file", type=_FILE, help="Its key.")
@click.option("--client-ca-file", type=_FILE, help="Whose client certificates are believed.")
@click.option(
    "--kubeconfig",
    type=_FILE,
    help="Believe whom this cluster believes, and ask it about tokens and rights, as aggregated API servers do.",
)
@click.option("--manifests", type=click.Path(file_okay=False, path_type=Path), help="A folder of manifests (RBAC).")
@click.option(
    "--directory",
    default=Path(".isthmus-sidecar"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="A folder of its own, for sockets, Envoy's bootstrap and log.",
)
@click.option("--concurrency", type=click.IntRange(1), default=1, show_default=True, help="Envoy's worker threads.")
def command(
    *,
    config: Path | None,
    group: str | None,
    versions: tuple[str, ...],
    apis: tuple[str, ...],
    kubeconfig: Path | None,
    directory: Path,
    concurrency: int,
    **said: Any,  # noqa: ANN401 -- the fields of Options, as click read them
) -> None:
    """Run control plane and Envoy beside one API server (--upstream) or one client (--server).

    Before a server, it terminates TLS, finds out who asks, and lets through who may: the server listens on a loopback
    address in plain HTTP and is told in X-Remote-User and the like. For a client, it is a local endpoint that shows API
    servers the client's credential.
    """
    if (group is None) != (not versions):
        raise click.UsageError("--group and --version need one another; give both, or --api GROUP/VERSION")
    if said["upstream"] and said["server"]:
        raise click.UsageError("--upstream is beside a server and --server beside a client; give one of them")
    if said["upstream"] and said["listen"] is not None and said["listen"].path:
        raise click.UsageError("--listen is a Unix socket, and clients come to a server over TLS; write IP:PORT")
    options = Options(apis=(*(f"{group}/{version}" for version in versions), *apis), **said)
    with groundwork.refusals_said(directory.absolute()), workspace.opened(directory) as opened:
        program = envoy.find()
        envoy.version(program)
        cluster = _cluster(kubeconfig.absolute(), opened) if kubeconfig is not None else None
        settings = partial(_settings, options, config, opened)
        asyncio.run(_run(settings, cluster, opened, (program, "--concurrency", str(concurrency))))


def _cluster(kubeconfig: Path, opened: Workspace) -> Cluster:
    from controlplane import kube  # noqa: PLC0415 -- it takes a second, which only who asks a cluster has to wait

    ask = partial(kube.document, kubeconfig, scratch=opened.sockets)
    return Cluster(kubeconfig, opened.root, ask=ask, pause=asyncio.sleep)


async def _run(
    settings_with: Callable[[Mapping[str, Any]], Settings],
    cluster: Cluster | None,
    opened: Workspace,
    command: tuple[str, ...],
) -> None:
    if cluster is not None:
        await cluster.begin()
    settings = settings_with(cluster.settings() if cluster is not None else {})
    telemetry.configure(settings.log.level, settings.log.format)
    log, admin = structlog.get_logger("isthmus"), opened.sockets / "envoy.sock"
    supervisor = Supervisor(
        _envoy(settings, opened, admin, command),
        started=lambda program, pid: log.info("started", program=program.name, pid=pid),
        ended=log.error,
        launch=launch,
        clock=time.monotonic,
        sleep=asyncio.sleep,
    )
    tasks: list[asyncio.Task[object]] = [
        asyncio.create_task(app.serve(settings, leave=partial(drained, admin, _DRAIN_SECONDS)), name="control plane"),
        asyncio.create_task(_supervise(supervisor, settings.xds.listen), name="envoy"),
    ]
    if cluster is not None:
        tasks.append(asyncio.create_task(cluster.follow(), name="cluster"))
    await until_one_ends(*tasks)


async def _supervise(supervisor: Supervisor, xds: Address) -> None:
    await once_there(xds)
    await supervisor.run()


def _settings(options: Options, config: Path | None, opened: Workspace, cluster: Mapping[str, Any]) -> Settings:
    document = beside.document(options, read(config) if config else {}, cluster, opened)
    origin, folder = (str(config), config.absolute().parent) if config else ("isthmus sidecar", Path.cwd())
    settings = checked(document, origin, folder)
    if settings.sidecar is None:
        raise click.UsageError("beside what? Give --upstream, or --server, or the section sidecar in --config")
    _require(settings)
    # For `isthmus status`, `isthmus proxies` and `isthmus explain`.
    whole = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    workspace.write_yaml(opened.config, whole, "Written by Isthmus at every start.")
    return settings


def _envoy(settings: Settings, opened: Workspace, admin: Path, command: tuple[str, ...]) -> Program:
    static = bootstrap(
        settings.xds.reached_at,
        node_id="isthmus-sidecar",
        node_cluster="isthmus",
        admin=Address(path=str(admin)),
        tls=own_tls(settings.xds, settings.envoy),
    )
    workspace.write_yaml(opened.bootstrap, static, "Written by Isthmus at every start.")
    # No hot restart: it would take shared memory and sockets of a number that two Envoys on one machine fight over.
    flags = ("-c", str(opened.bootstrap), "--disable-hot-restart", "--log-level", "warning")
    drain = ("--drain-time-s", str(_DRAIN_SECONDS), "--drain-strategy", "immediate")
    return Program("envoy", (*command, *flags, *drain), workspace.rotate(opened.logs / "envoy.log"))


def _require(settings: Settings) -> None:
    """Raises a StartError when the address for clients cannot be had."""
    door, client = settings.front_door, settings.sidecar.client if settings.sidecar else None
    listen = client.listen if client else Address(host=door.address, port=door.port) if door else None
    if listen is not None and not listen.path and not ports.is_free(listen.host, listen.port):
        raise StartError(f"{listen} cannot be listened on; choose another with --listen, or end what listens there")
