"""`isthmus confirm-removals`: let removals go that are withheld from proxies because they are many.

In: a settings file, and a running control plane. Out: one sentence. Law: it confirms what is wanted at the moment of
the call, not what may be wanted later.
"""

from __future__ import annotations

from pathlib import Path

import click

from controlplane.admin import client, removals
from controlplane.cli.asking import admin_face, config_option


@click.command("confirm-removals")
@config_option
@click.option("--group", help="Only the proxies of this node group (default: all).")
def command(config: Path, group: str | None) -> None:
    """Let removals go that are withheld because they are many.

    `isthmus status` says what is withheld. Afterwards it is gone from the proxies; to keep it, put the registrations
    back instead.
    """
    click.echo(removals.sentence(client.confirm_removals(admin_face(config), group)))
