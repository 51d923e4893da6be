"""`isthmus restore`: the store's database as a backup has it.

In: a backup. Out: a database, and two sentences. Law: a database in use is left alone, and the old file stays, under
another name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from controlplane.store.backup import restore


@click.command("restore")
@click.argument("database", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--from", "backup", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The backup to put there."
)
def command(database: Path, backup: Path) -> None:
    """Put a backup in the place of the store's DATABASE, while no control plane is using it."""
    restored, aside = restore(database, backup, now=datetime.now(UTC))
    click.echo(f"{database}: holds the {restored.objects} objects of {restored.path}")
    if aside is not None:
        click.echo(f"{aside}: what was there before; remove it when it is not needed any more")
