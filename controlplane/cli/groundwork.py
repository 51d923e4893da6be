"""What has to be written before any program is started: certificates, a kubeconfig, settings, Envoy's bootstrap.

In: a workspace and where the front door listens. Out: files. Law: a setting that could not be used is said here, what
a person has made of the settings stays, and what the operating system refuses is a sentence about the folder.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.cli import files, kubeconfig, pki, workspace
from controlplane.cli.generated import is_generated, stamped
from controlplane.cli.workspace import Workspace
from controlplane.errors import StartError
from controlplane.settings.address import Address
from controlplane.settings.load import checked, load
from controlplane.settings.settings import Settings
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.own_tls import own_tls

_NOTICE: Final = "Written by Isthmus at every start, until you change it."
# Of files without a hash, which had no store and no config API either.
_EARLIER: Final = b"# Written by Isthmus at every start; copy it to change it."
_SINCE: Final = ("store", "config")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of the control plane, and what their file is to hold; None: it is somebody's, and stays."""

    settings: Settings
    file: bytes | None


@contextmanager
def refusals_said(root: Path) -> Iterator[None]:
    """Turns what the operating system refuses below `root` into a sentence about it.

    Raises:
        StartError: instead of every OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StartError(
            f"{error.filename or root}: {reason}; see to {root}, or choose another with --directory"
        ) from error


def credentials(opened: Workspace, address: str, url: str, now: datetime.datetime) -> None:
    """Makes the development PKI for a front door that listens on `address`, and a kubeconfig for `url`.

    Raises:
        StartError: when what is left of a PKI does not fit together.
        OSError: when the folder cannot be written.
    """
    pki.ensure(opened.pki, pki.leaves(address), now)
    authority = (opened.pki / "serving-ca.crt").read_bytes()
    users = {name: pki.read(opened.pki, name) for name in pki.USERS}
    files.write(opened.kubeconfig, kubeconfig.render(url, authority, users).encode(), mode=0o600)


def configuration(opened: Workspace, wanted: Mapping[str, Any]) -> Configuration:
    """The settings `wanted` (`workspace.settings_document`), or those of the file that a person has changed.

    Raises:
        SettingsError: when a setting cannot be used.
        StartError: when the settings name sockets in a folder that another user may have made.
        OSError: when the file is there and cannot be read.
    """
    path = opened.config
    if path.exists() and not _written_here(opened, path.read_bytes()):
        _require_own_sockets(opened)
        return Configuration(load(path), None)
    return Configuration(
        checked(wanted, str(path), opened.root), stamped(_NOTICE, files.as_yaml(dict(wanted)).encode())
    )


def write(opened: Workspace, configured: Configuration, *, node_id: str, into: Path) -> None:
    """Writes the settings, and to the file `into` the bootstrap of their Envoy, called `node_id`.

    Raises:
        OSError: when a folder cannot be written.
    """
    if configured.file is not None:
        files.write(opened.config, configured.file)
    xds, envoy = configured.settings.xds, configured.settings.envoy
    admin = Address(path=str(opened.sockets / "envoy.sock"))
    static = bootstrap(xds.reached_at, node_id=node_id, node_cluster="isthmus", admin=admin, tls=own_tls(xds, envoy))
    workspace.write_yaml(into, static, "Written by Isthmus at every start; copy it to change it.")


def _require_own_sockets(opened: Workspace) -> None:
    # A start that could not have the short folder uses another; somebody's settings go on naming the one that is not
    # ours, and whoever made it could put a socket in the place of each of them.
    usual = workspace.short_folder(opened.root)
    if usual != opened.sockets and str(usual).encode() in opened.config.read_bytes():
        raise StartError(
            f"{opened.config} names sockets in {usual}, and that folder is not this user's alone; remove it, or delete "
            "the file to have it written anew"
        )


def _written_here(opened: Workspace, content: bytes) -> bool:
    if is_generated(content):
        return True
    notice, _, body = content.partition(b"\n")
    if notice != _EARLIER:
        return False
    # What was written then follows from these; what differs from it, a person wrote.
    try:
        found = yaml.safe_load(body)
        door, core, workers = found["frontDoor"], found.get("core", {}), found["authorization"].get("workers", 0)
        sockets = Path(found["xds"]["listen"].removeprefix("unix:")).parent
        again = workspace.settings_document(
            Workspace(opened.root, sockets), door["address"], door["port"], core, workers
        )
    except (yaml.YAMLError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return False
    return body == files.as_yaml({name: value for name, value in again.items() if name not in _SINCE}).encode()
