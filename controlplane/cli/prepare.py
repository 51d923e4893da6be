"""`isthmus prepare`: what programs in containers start from, one folder a program; nothing is started.

In: a folder, the front door's port, where Unix sockets and the store will be. Out: certificates, settings, Envoy's
bootstrap and a kubeconfig. Law: a program's folder holds no key but its own, and certificates that are good stay as
they are.

    pki/             all keys and certificates, kept between runs
    kubeconfig       contexts admin and alice
    control-plane/   config.yaml, the certificates it names, and manifests/, the watched folder; a folder
                     of somebody else's manifests can be mounted on manifests/local
    envoy/           envoy.yaml
    servicecatalog/  the certificates of the demo API server
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from controlplane.cli import demo, files, groundwork, kubeconfig, workspace
from controlplane.cli.workspace import Workspace
from controlplane.settings.address import Address

# A container's own addresses are its own; what may reach them is for whoever publishes the port to say.
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 -- the reason above
_CONTROL_PLANE: Final = (
    "serving.crt",
    "serving.key",
    "client-ca.crt",
    "front-proxy-client.crt",
    "front-proxy-client.key",
)
_OTHERS: Final = "local"
# There is one control plane: what Envoy knows has to last until that one has been replaced by the next.
_KEPT_VERDICTS: Final[Mapping[str, object]] = MappingProxyType({"verdictCache": {"ttl": "1m"}})
_DEMO: Final = ("servicecatalog.crt", "servicecatalog.key", "front-proxy-ca.crt")


def _host_port(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Address | None:
    if value is None:
        return None
    try:
        address = Address.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if address.path:
        raise click.BadParameter(f"{value!r} is a Unix socket; write HOST:PORT")
    return address


@click.command("prepare")
@click.option(
    "--directory", required=True, type=click.Path(path_type=Path), help="The folder to write; made if it is not there."
)
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535), help="The front door's port.")
@click.option(
    "--sockets",
    default=Path("/run/isthmus"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder for Unix sockets that the control plane and Envoy will share.",
)
@click.option(
    "--store",
    default=Path("/var/lib/isthmus/store"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder, the control plane's own, for the database of the config API and its socket.",
)
@click.option("--demo", "demo_at", metavar="HOST:PORT", callback=_host_port, help="Register the demo API server there.")
def command(directory: Path, port: int, sockets: Path, store: Path, demo_at: Address | None) -> None:
    """Write what programs in containers start from, and start nothing.

    The front door will listen on every address of Envoy's container; the kubeconfig expects its port at 127.0.0.1.
    """
    root = directory.absolute()
    whole = Workspace(root, sockets.absolute())
    control_plane = Workspace(root / "control-plane", whole.sockets, store.absolute())
    with groundwork.refusals_said(root):
        for folder in (root, control_plane.root, control_plane.manifests / _OTHERS, root / "envoy"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.UTC)
        groundwork.credentials(whole, _EVERYWHERE, kubeconfig.url(_EVERYWHERE, port), now)
        _hand(whole, _CONTROL_PLANE, control_plane.pki)
        wanted = {**workspace.settings_document(control_plane, _EVERYWHERE, port, {}), **_KEPT_VERDICTS}
        configured = groundwork.configuration(control_plane, wanted)
        groundwork.write(control_plane, configured, node_id="isthmus", into=root / "envoy" / "envoy.yaml")
        if demo_at is None:
            demo.withdraw(control_plane)
            return
        _hand(whole, _DEMO, root / "servicecatalog")
        authority = (whole.pki / "servicecatalog-ca.crt").read_bytes()
        demo.seed(control_plane, demo.manifest(demo_at, authority))


def _hand(whole: Workspace, names: Iterable[str], folder: Path) -> None:
    """Copies those files of the PKI into the folder of the program that needs them."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        mode = 0o600 if name.endswith(".key") else 0o644
        files.write(folder / name, (whole.pki / name).read_bytes(), mode=mode)
