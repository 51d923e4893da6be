"""`isthmus bootstrap`: the static file an Envoy starts with.

In: a settings file and the Envoy's own name. Out: a bootstrap on stdout that finds the control plane of those settings;
with TLS, beside it two files that name Envoy's certificate files. Law: what is printed and written holds no secret.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from controlplane.cli import files
from controlplane.errors import StartError
from controlplane.settings.load import load
from controlplane.settings.tls import EnvoyTls
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.own_tls import own_tls, resource_files


@click.command("bootstrap")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The settings file (YAML)."
)
@click.option("--node-id", default="isthmus", show_default=True, help="This Envoy's name; every Envoy has its own.")
@click.option("--node-cluster", default="isthmus", show_default=True, help="The group of Envoys it belongs to.")
@click.option(
    "--resources-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write the files that name Envoy's certificates, when that is not where Envoy itself finds them "
    "(default: the setting envoy.resourcesDir).",
)
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def command(
    config: Path, node_id: str, node_cluster: str, resources_dir: Path | None, output: Literal["yaml", "json"]
) -> None:
    """Print the Envoy bootstrap that fits a settings file.

    Where Envoy connects with TLS (the setting `envoy`), two files are written as well: they tell Envoy which
    certificate files to read and to follow, so that a renewed certificate is taken over without a restart. Envoy needs
    them in the folder envoy.resourcesDir before it starts.
    """
    loaded = load(config)
    tls = own_tls(loaded.xds, loaded.envoy)
    document = bootstrap(loaded.xds.reached_at, node_id=node_id, node_cluster=node_cluster, admin=None, tls=tls)
    if loaded.envoy is not None:
        _write(loaded.envoy, resources_dir or loaded.envoy.resources_dir)
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(files.as_yaml(document), nl=False)


def _write(envoy: EnvoyTls, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, resource in resource_files(envoy).items():
            files.write(folder / name, f"{json.dumps(resource, indent=2)}\n".encode())
    except OSError as error:
        raise StartError(
            f"{error.filename or folder}: {error.strerror}; see to the folder, or choose another with --resources-dir "
            "and bring the files to envoy.resourcesDir, where Envoy looks for them"
        ) from error
