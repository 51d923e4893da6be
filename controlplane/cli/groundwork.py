"""What has to be written before any program is started: certificates, a kubeconfig, settings, Envoy's bootstrap.

In: a workspace and where the front door listens. Out: files. Law: a setting that could not be used is said here, and
what the operating system refuses is a sentence about the folder.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controlplane.cli import files, kubeconfig, pki, workspace
from controlplane.cli.workspace import Workspace
from controlplane.errors import StartError
from controlplane.settings.address import Address
from controlplane.settings.load import load
from controlplane.translation.bootstrap import bootstrap


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


def configuration(
    opened: Workspace,
    address: str,
    port: int,
    core: Mapping[str, str],
    *,
    node_id: str,
    into: Path,
    authz_workers: int = 0,
) -> None:
    """Writes the settings of the control plane, and to the file `into` the bootstrap of its Envoy, called `node_id`.

    Raises:
        SettingsError: when a setting cannot be used.
        OSError: when a folder cannot be written.
    """
    comment = "Written by Isthmus at every start; copy it to change it."
    workspace.write_yaml(
        opened.config, workspace.settings_document(opened, address, port, core, authz_workers), comment
    )
    loaded = load(opened.config)
    admin = Address(path=str(opened.sockets / "envoy.sock"))
    static = bootstrap(loaded.xds.reached_at, node_id=node_id, node_cluster="isthmus", admin=admin)
    workspace.write_yaml(into, static, comment)
