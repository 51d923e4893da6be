"""`isthmus backup`: a copy of the store's database.

In: a database, in use or not. Out: a file that was read back and found whole, and one sentence. Law: older backups are
removed only when the new one is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from controlplane.store.backup import back_up


@click.command("backup")
@click.argument("database", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put it (default: the folder `backups` beside the database).",
)
@click.option("--keep", type=click.IntRange(min=1), default=7, show_default=True, help="How many backups to keep.")
def command(database: Path, folder: Path | None, keep: int) -> None:
    """Copy the store's DATABASE, also while a control plane is using it.

    The copy holds Secrets where the database does; only the user who makes it may read it.
    """
    made = back_up(database, folder or database.parent / "backups", keep=keep, now=datetime.now(UTC))
    click.echo(f"{made.path}: {made.objects} objects at revision {made.revision}, read back and whole")
