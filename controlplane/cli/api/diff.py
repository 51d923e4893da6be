"""`isthmus diff`: what apply would change.

In: manifests. Out: a unified diff of what is there and what would be. Law: nothing is written; the exit code is 0 when
nothing would change, 1 when something would, and more when that is not known.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.apply import MANAGER
from controlplane.cli.api.applying import Applying, Refused
from controlplane.cli.api.batches import MOST_OBJECTS, ordered
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.differences import difference
from controlplane.cli.api.kinds import type_of
from controlplane.cli.api.manifests import Manifest, filenames, read
from controlplane.cli.api.progress import progress
from controlplane.cli.api.selecting import NOT_FOUND
from controlplane.cli.api.waiting import Waiting
from controlplane.configapi.client import ApiError, ConfigClient
from controlplane.errors import AskError, IsthmusError

_DIFFERENT: Final = 1
_UNKNOWN: Final = 2


class _Diff(click.Command):
    """A command whose failures are told from differences."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs it.

        Raises:
            AskError: whatever went wrong.
        """
        try:
            return super().invoke(ctx)
        except IsthmusError as error:
            raise AskError(str(error)) from error


@click.command("diff", cls=_Diff)
@filenames(required=True)
@click.option("--force-conflicts", is_flag=True, help="As if apply took fields that other managers hold.")
@click.option("--field-manager", default=MANAGER, show_default=True, help="Who would manage the fields.")
@click.option("--show-managed-fields", is_flag=True, help="Compare also who manages which field.")
@connects
@click.pass_context
def command(
    ctx: click.Context,
    *,
    client: ConfigClient,
    namespace: Namespace,
    paths: tuple[Path, ...],
    recursive: bool,
    force_conflicts: bool,
    field_manager: str,
    show_managed_fields: bool,
) -> None:
    """Show what apply would change.

    The exit code is 0 when nothing would change, 1 when something would, and 2 when something went wrong.
    """
    given = read(paths, namespace, recursive=recursive, stdin=sys.stdin.buffer.read)
    for defect in given.defects:
        click.echo(defect, err=True)
    code = _UNKNOWN if given.defects else 0
    applying = Applying(field_manager, force_conflicts, dry_run=True)
    with progress(len(given.objects), "comparing", least=MOST_OBJECTS) as bar:
        for result in applying.run(client, ordered(given.objects), Waiting(None)):
            if isinstance(result, Refused):
                bar.say(f"{result.manifest.place}: {result.error}", err=True)
                code = _UNKNOWN
            else:
                live = _live(client, result.manifest)
                lines = difference(result.manifest, live, result.written, managed_fields=show_managed_fields)
                for line in lines:
                    bar.say(line)
                code = max(code, _DIFFERENT if lines else 0)
            bar.done(1)
    ctx.exit(code)


def _live(client: ConfigClient, manifest: Manifest) -> config_pb2.Object | None:
    reference = config_pb2.Reference(type=type_of(manifest.kind), namespace=manifest.namespace, name=manifest.name)
    try:
        return client.get(reference)
    except ApiError as error:
        if error.code == NOT_FOUND:
            return None
        raise
