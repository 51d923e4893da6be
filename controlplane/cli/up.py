"""`isthmus up`: everything on this machine, in the foreground.

In: a folder, an address and a port. Out: a front door that answers, and the line `ready` once it has. Law: what can be
known to be wrong is said before anything is started, and when this ends nothing that it started is left.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from controlplane.cli import demo, envoy, groundwork, kubeconfig, pki, ports, summary, workspace
from controlplane.cli.groundwork import Configuration
from controlplane.cli.supervise import Program, Supervisor, launch, once_there
from controlplane.cli.workspace import Workspace
from controlplane.errors import StartError
from controlplane.settings.address import Address

_FIRST_ANSWER_SECONDS: Final = 60.0
_BETWEEN_ATTEMPTS_SECONDS: Final = 0.05
_ADDRESS: Final = "127.0.0.1"
_PORT: Final = 8443


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for, None where it says nothing; `core` maps onto the setting of that name."""

    demo: bool = True
    concurrency: int | None = None
    address: str | None = None
    port: int | None = None
    core: tuple[tuple[str, str], ...] = ()
    authz_workers: int | None = None

    @property
    def settings(self) -> Mapping[str, str]:
        """The options given that are settings, and the names of these."""
        said = {
            "--address": ("frontDoor.address", self.address),
            "--port": ("frontDoor.port", self.port),
            "--core": ("core", self.core or None),
            "--authz-workers": ("authorization.workers", self.authz_workers),
        }
        return {option: setting for option, (setting, value) in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run, where each program is reached, and the path whose answer proves that everything works.

    `envoy` is the one of the programs that needs the control plane at `xds` before it starts.
    """

    programs: tuple[tuple[Program, str], ...]
    envoy: Program
    xds: Address
    first_path: str
    front: summary.Front


def _ip(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(ipaddress.ip_address(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no IP address; an example is 127.0.0.1") from error


@click.command("up")
@click.option(
    "--directory",
    default=Path(".isthmus"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder for certificates, manifests, logs and the kubeconfig.",
)
@click.option("--address", callback=_ip, help=f"The IP address to listen on (default: {_ADDRESS}).")
@click.option("--port", type=click.IntRange(1, 65535), help=f"The port to listen on (default: {_PORT}).")
@click.option("--demo/--no-demo", default=True, help="Run and register the demo API server (default: yes).")
@click.option("--core", metavar="URL", help="The API server that everything unregistered goes to, https://HOST:PORT.")
@click.option("--core-ca-file", type=click.Path(dir_okay=False, path_type=Path), help="The CA of the core (PEM).")
@click.option("--concurrency", type=click.IntRange(1), help="Envoy's worker threads (default: one a CPU).")
@click.option(
    "--authz-workers",
    type=click.IntRange(0),
    help="How many processes decide about requests (default: 0, the control plane does).",
)
def command(
    directory: Path,
    address: str | None,
    port: int | None,
    *,
    demo: bool,
    core: str | None,
    core_ca_file: Path | None,
    concurrency: int | None,
    authz_workers: int | None,
) -> None:
    """Run everything on this machine: control plane, Envoy and a demo API server."""
    if core_ca_file is not None and core is None:
        raise click.UsageError("--core-ca-file says whom to trust as the core; give --core as well")
    upstream = {"server": core} if core else {}
    if core_ca_file is not None:
        upstream["caFile"] = str(core_ca_file.absolute())
    options = Options(
        demo=demo,
        concurrency=concurrency,
        address=address,
        port=port,
        core=tuple(upstream.items()),
        authz_workers=authz_workers,
    )
    with groundwork.refusals_said(directory.absolute()), workspace.opened(directory) as opened:
        plan = _prepare(options, opened)
        asyncio.run(_run(plan, opened))


def _prepare(options: Options, opened: Workspace) -> Plan:
    configured = _configured(options, opened)
    settings, door = configured.settings, configured.settings.front_door
    assert door is not None  # noqa: S101 -- narrows what _configured has seen to
    url = kubeconfig.url(door.address, door.port)
    ports.require(door.address, door.port, settings=opened.config if configured.file is None else None)
    program = envoy.find()
    version = envoy.version(program)
    groundwork.credentials(opened, door.address, url, datetime.datetime.now(datetime.UTC))
    groundwork.write(opened, configured, node_id="isthmus-up", into=opened.bootstrap)

    concurrency = () if options.concurrency is None else ("--concurrency", str(options.concurrency))
    # No hot restart: it would take shared memory and sockets of a number that two Envoys on one machine fight over.
    flags = ("-c", str(opened.bootstrap), "--disable-hot-restart", "--log-level", "warning", *concurrency)
    serve = (sys.executable, "-P", "-m", "controlplane", "serve", "--config", str(opened.config))
    here = Path.cwd()
    data_plane = Program(f"envoy {version}", (program, *flags), workspace.rotate(opened.logs / "envoy.log"))
    programs = [
        (
            Program("control plane", serve, workspace.rotate(opened.logs / "control-plane.log")),
            summary.at(settings.xds.listen, here),
        ),
        (data_plane, url),
    ]
    example, registered = demo.source() if options.demo else None, False
    if example is None:
        demo.withdraw(opened)
    else:
        port, registered = _register(opened)
        # Somebody's settings may have another folder of manifests.
        registered = registered and settings.manifests == opened.manifests
        reached = f"https://127.0.0.1:{port} (demo API server, {_registered_as(opened, registered=registered)})"
        programs.append((_demo_program(opened, example, port), reached))
    sample = example / "manifests" / "sample.yaml" if example is not None else None
    front = summary.Front(
        url=url,
        folder=opened.root,
        demo=registered,
        kubectl=shutil.which("kubectl") is not None,
        sample=sample if sample is not None and sample.is_file() else None,
        isthmus="isthmus"
        if shutil.which("isthmus")
        else summary.shown(Path(sys.executable).with_name("isthmus"), here),
        config_api=settings.config.listen if settings.config is not None else None,
        changed=configured.file is None,
    )
    return Plan(tuple(programs), data_plane, settings.xds.listen, demo.FIRST_PATH if registered else "/version", front)


def _configured(options: Options, opened: Workspace) -> Configuration:
    """The settings to start with; what the command line says goes into the file, or is refused where it cannot."""
    wanted = workspace.settings_document(
        opened, options.address or _ADDRESS, options.port or _PORT, dict(options.core), options.authz_workers or 0
    )
    configured = groundwork.configuration(opened, wanted)
    if configured.file is None:
        for option, setting in options.settings.items():
            raise StartError(
                f"{opened.config} was changed by hand and is left as it is, so {option} would do nothing; set "
                f"{setting} there, or delete the file to have it written anew"
            )
    if configured.settings.front_door is None:
        raise StartError(f"{opened.config} has no front door; set frontDoor, or run it with: isthmus sidecar --config")
    return configured


def _register(opened: Workspace) -> tuple[int, bool]:
    """The demo's port, the one of last time when it is free, and whether the generated manifest names it."""
    state = workspace.read_state(opened)
    port = (
        state.demo_port if state.demo_port and ports.is_free("127.0.0.1", state.demo_port) else ports.free("127.0.0.1")
    )
    workspace.write_state(opened, replace(state, demo_port=port))
    authority = (opened.pki / "servicecatalog-ca.crt").read_bytes()
    address = Address(host="127.0.0.1", port=port)
    return port, demo.seed(opened, demo.manifest(address, authority))


def _registered_as(opened: Workspace, *, registered: bool) -> str:
    if registered:
        return f"registered as {demo.API_SERVICE}"
    return f"registered by what you made of {opened.manifests}"


def _demo_program(opened: Workspace, example: Path, port: int) -> Program:
    command = (
        *(sys.executable, "-P", "-m", "servicecatalog"),
        *("--bind-address", "127.0.0.1", "--secure-port", str(port)),
        *("--tls-cert-file", str(opened.pki / "servicecatalog.crt")),
        *("--tls-private-key-file", str(opened.pki / "servicecatalog.key")),
        *("--requestheader-client-ca-file", str(opened.pki / "front-proxy-ca.crt")),
        *("--requestheader-allowed-names", "front-proxy-client"),
        *("--audit-log-path", str(workspace.rotate(opened.logs / "servicecatalog-audit.log"))),
    )
    log = workspace.rotate(opened.logs / "servicecatalog.log")
    return Program("servicecatalog", command, log, environment=(("PYTHONPATH", str(example)),))


async def _run(plan: Plan, opened: Workspace) -> None:
    """Runs the plan until a signal asks for the end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisors = [
        Supervisor(
            program, started=_say_started, ended=_say_ended, launch=launch, clock=time.monotonic, sleep=asyncio.sleep
        )
        for program, _ in plan.programs
    ]
    runs = [asyncio.create_task(_supervise(supervisor, plan)) for supervisor in supervisors]
    announced = asyncio.create_task(_announce(plan, opened, supervisors))
    stopped = asyncio.create_task(stop.wait())
    tasks = (announced, stopped, *runs)
    try:
        waiting: set[asyncio.Task[object]] = set(tasks)
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        click.echo("stopping")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _supervise(supervisor: Supervisor, plan: Plan) -> None:
    if supervisor.program is plan.envoy:
        await once_there(plan.xds)
    await supervisor.run()


async def _announce(plan: Plan, opened: Workspace, supervisors: list[Supervisor]) -> None:
    """Says `ready`, and what is there, when the first request has come back.

    Raises:
        StartError: when none came back in time.
    """
    first_answer = await asyncio.to_thread(_client)
    failure = await first_answer(
        opened.kubeconfig,
        pki.USERS[0],
        plan.first_path,
        scratch=opened.sockets,
        pause=_BETWEEN_ATTEMPTS_SECONDS,
        give_up_after=_FIRST_ANSWER_SECONDS,
    )
    if failure:
        down = next((supervisor.program for supervisor in supervisors if not supervisor.pid), None)
        where = f"{down.name} does not stay up, its log is {down.log}" if down else f"the logs are in {opened.logs}"
        raise StartError(
            f"no request through {plan.front.url} succeeded within {_FIRST_ANSWER_SECONDS:g} s ({failure}); {where}"
        )
    rows = [
        summary.Row(supervisor.program.name, supervisor.pid, reached)
        for supervisor, (_, reached) in zip(supervisors, plan.programs, strict=True)
    ]
    click.echo(f"\n{summary.render(rows, plan.front, Path.cwd())}\n\nready")


def _client() -> Callable[..., Coroutine[object, object, str]]:
    from controlplane.kube import first_answer  # noqa: PLC0415 -- it takes a second, in which the programs start

    return first_answer


def _say_started(program: Program, pid: int) -> None:
    click.echo(f"{program.name} started (pid {pid})")


def _say_ended(sentence: str) -> None:
    click.echo(sentence, err=True)
