"""`isthmus apply`: what manifests say becomes so.

In: manifests. Out: a line for each object, as kubectl prints it, and why others were refused. Law: what could be
applied is, unless it was to be all or nothing; the exit code is 0 only when all of it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import click

from controlplane.api.v1 import config_pb2
from controlplane.cli.api import printing
from controlplane.cli.api.applying import Applied, Applying, Refused
from controlplane.cli.api.batches import MOST_OBJECTS, ordered
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.dry_run import SUFFIX, dry_runs
from controlplane.cli.api.kinds import spoken
from controlplane.cli.api.manifests import Given, Manifest, filenames, read
from controlplane.cli.api.progress import Progress, progress
from controlplane.cli.api.waiting import Waiting, waits
from controlplane.configapi.client import ApiError, ConfigClient
from controlplane.errors import IsthmusError
from controlplane.resources.values import JsonObject, visible

MANAGER: Final = "isthmus"
"""The field manager unless another is named."""

_NOTHING: Final = "nothing is applied, because of --atomic; mend what is said above"
_CONFLICT: Final = "Conflict"
_OUTCOMES: Final = MappingProxyType(
    {
        config_pb2.Written.OUTCOME_CREATED: "created",
        config_pb2.Written.OUTCOME_CHANGED: "configured",
        config_pb2.Written.OUTCOME_UNCHANGED: "unchanged",
    }
)
_VALIDATION: Final = MappingProxyType(
    {
        "strict": config_pb2.FIELD_VALIDATION_STRICT,
        "warn": config_pb2.FIELD_VALIDATION_WARN,
        "ignore": config_pb2.FIELD_VALIDATION_IGNORE,
    }
)


class ApplyError(IsthmusError):
    """Not everything was applied; the text says how much was, or why nothing is sent."""


@click.command("apply")
@filenames(required=True)
@click.option("--force-conflicts", is_flag=True, help="Take fields that other managers hold with other values.")
@click.option("--field-manager", default=MANAGER, show_default=True, help="Who manages the fields that are applied.")
@click.option(
    "--validate",
    type=click.Choice(list(_VALIDATION)),
    default="strict",
    show_default=True,
    help="For kubectl's sake: what is applied may have no unknown fields whatever this says.",
)
@click.option("--atomic", is_flag=True, help=f"All objects, at most {MOST_OBJECTS}, or none.")
@click.option("-o", "--output", type=click.Choice(["name", "json", "yaml"]), help="Print this instead of a line.")
@click.option("--show-managed-fields", is_flag=True, help="In JSON and YAML: also who manages which field.")
@dry_runs
@waits
@connects
@click.pass_context
def command(
    ctx: click.Context,
    *,
    client: ConfigClient,
    namespace: Namespace,
    paths: tuple[Path, ...],
    recursive: bool,
    dry_run: bool,
    force_conflicts: bool,
    field_manager: str,
    validate: str,
    atomic: bool,
    output: Literal["name", "json", "yaml"] | None,
    show_managed_fields: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Make objects what manifests say (server-side apply)."""
    given = read(paths, namespace, recursive=recursive, stdin=sys.stdin.buffer.read)
    for defect in given.defects:
        click.echo(defect, err=True)
    applying = Applying(field_manager, force_conflicts, dry_run, _VALIDATION[validate], atomic)
    _sendable(given, atomic=atomic)
    waiting = Waiting(timeout if wait else None)
    with progress(len(given.objects), "applying", least=MOST_OBJECTS) as bar:
        printed = _Printed(bar, output, dry_run=applying.dry_run, managed_fields=show_managed_fields)
        refused = _applied(client, applying, ordered(given.objects), waiting, printed)
    printed.end()
    for sentence in waiting.sentences():
        click.echo(sentence, err=True)
    failed = refused + len(given.defects)
    ctx.exit(1 if failed or waiting.timed_out else 0)


def _sendable(given: Given, *, atomic: bool) -> None:
    if not given.objects:
        raise ApplyError("error: no objects passed to apply")
    if not atomic:
        return
    if given.defects:
        raise ApplyError(f"error: {_NOTHING}")
    if len(given.objects) > MOST_OBJECTS:
        raise ApplyError(
            f"error: {len(given.objects)} objects are more than the {MOST_OBJECTS} that can be applied at once; give "
            "fewer, or leave --atomic out"
        )


class _Printed:
    """What is said of each object: at once, or for -o json and yaml at the end."""

    def __init__(self, bar: Progress, output: str | None, *, dry_run: bool, managed_fields: bool) -> None:
        self._bar = bar
        self._output = output
        self._suffix = SUFFIX if dry_run else ""
        self._managed_fields = managed_fields
        self._documents: list[JsonObject] = []

    def applied(self, result: Applied) -> None:
        """One object is as it was to be."""
        for warning in result.written.warnings:
            self._bar.say(f"Warning: {visible(warning)}", err=True)
        name = spoken(result.manifest.kind, result.manifest.name)
        if self._output is None:
            self._bar.say(f"{name} {_OUTCOMES[result.written.outcome]}{self._suffix}")
        elif self._output == "name":
            self._bar.say(name)
        else:
            self._documents.append(printing.plain(result.written.object, managed_fields=self._managed_fields))
        self._bar.done(1)

    def refused(self, result: Refused) -> None:
        """One object is not."""
        self._bar.say(f"{result.manifest.place}: {_sentence(result.error)}", err=True)
        self._bar.done(1)

    def end(self) -> None:
        """All was said of each."""
        if self._documents:
            value = self._documents[0] if len(self._documents) == 1 else printing.listed(self._documents)
            click.echo(printing.DOCUMENTS[self._output or ""](value))


def _applied(
    client: ConfigClient, applying: Applying, manifests: Sequence[Manifest], waiting: Waiting, printed: _Printed
) -> int:
    """How many were refused."""
    applied = refused = 0
    try:
        for result in applying.run(client, manifests, waiting):
            if isinstance(result, Refused):
                refused += 1
                printed.refused(result)
            else:
                applied += 1
                printed.applied(result)
    except ApiError as error:
        if not applied and not refused:
            raise
        printed.end()
        raise ApplyError(
            f"{error}\nerror: {applied} of {len(manifests)} objects were applied, and {refused} refused, before the "
            "server failed; whether the rest was is not known: apply all of it again, which changes nothing twice"
        ) from error
    if refused and applying.atomic:
        click.echo(f"error: {_NOTHING}", err=True)
    elif refused and len(manifests) > 1:
        click.echo(f"error: {refused} of {len(manifests)} objects were not applied", err=True)
    return refused


def _sentence(error: ApiError) -> str:
    if error.reason != _CONFLICT or not error.violations:
        return str(error)
    return (
        f"{error}; take the fields with --force-conflicts, leave them out of the manifest, or write the values there "
        "that are in force"
    )
