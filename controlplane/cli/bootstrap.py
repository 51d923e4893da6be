"""`isthmus bootstrap`: the static file an Envoy starts with.

In: a settings file and the Envoy's own name. Out: a bootstrap on stdout that finds the control plane of those settings.
Law: what is printed holds no secret; keys reach Envoy over xDS only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from controlplane.cli import files
from controlplane.settings.load import load
from controlplane.translation.bootstrap import bootstrap


@click.command("bootstrap")
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The settings file (YAML)."
)
@click.option("--node-id", default="isthmus", show_default=True, help="This Envoy's name; every Envoy has its own.")
@click.option("--node-cluster", default="isthmus", show_default=True, help="The group of Envoys it belongs to.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def command(config: Path, node_id: str, node_cluster: str, output: Literal["yaml", "json"]) -> None:
    """Print the Envoy bootstrap that fits a settings file."""
    loaded = load(config)
    document = bootstrap(loaded.xds.reached_at, node_id=node_id, node_cluster=node_cluster, admin=None)
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(files.as_yaml(document), nl=False)
