"""`isthmus get`: objects as they are, once or for as long as somebody watches.

In: kinds and names, or selectors. Out: a table, JSON, YAML or names. Law: what is found is printed, whatever is
missing; then the exit code is 1.
"""

from __future__ import annotations

import datetime
from typing import Final

import click

from controlplane.cli.api.completing import objects_argument
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.printing import OUTPUTS, Output
from controlplane.cli.api.selecting import NOT_FOUND, Found, Selection, found, nothing, selection
from controlplane.cli.api.showing import Style, whole
from controlplane.cli.api.tables import Look
from controlplane.cli.api.watch import follow
from controlplane.configapi.client import ApiError, ConfigClient

_FOR_PEOPLE: Final = (None, "wide")


@click.command("get")
@objects_argument("TYPE[,TYPE] [NAME]... | TYPE/NAME...")
@click.option("-A", "--all-namespaces", is_flag=True, help="Objects of all namespaces, and which each is of.")
@click.option("-l", "--selector", default="", help="Only objects with these labels, such as app=a,tier!=b.")
@click.option("--field-selector", default="", help="Only objects with these fields, such as metadata.name=a.")
@click.option("-o", "--output", type=click.Choice(OUTPUTS), help="Print this instead of a table; wide: a wider one.")
@click.option("-w", "--watch", is_flag=True, help="Then print every change, until Ctrl-C.")
@click.option("--watch-only", is_flag=True, help="Print every change, and not what there is before.")
@click.option("--output-watch-events", is_flag=True, help="With --watch: say what happened, too.")
@click.option("--no-headers", is_flag=True, help="Leave out the names of the columns.")
@click.option("--show-labels", is_flag=True, help="A last column with all labels.")
@click.option("-L", "--label-columns", multiple=True, help="A column for this label; several with commas.")
@click.option("--show-managed-fields", is_flag=True, help="In JSON and YAML: also who manages which field.")
@click.option("--ignore-not-found", is_flag=True, help="What is not there is no failure.")
@click.option("--chunk-size", type=click.IntRange(min=0), default=500, show_default=True, help="Objects an answer.")
@connects
@click.pass_context
def command(
    ctx: click.Context,
    *,
    client: ConfigClient,
    namespace: Namespace,
    objects: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    output: Output | None,
    watch: bool,
    watch_only: bool,
    output_watch_events: bool,
    no_headers: bool,
    show_labels: bool,
    label_columns: tuple[str, ...],
    show_managed_fields: bool,
    ignore_not_found: bool,
    chunk_size: int,
) -> None:
    """Show objects, such as `isthmus get apiservices`, or `isthmus get svc,endpointslices -n prod -o yaml`."""
    selected = selection(
        objects,
        namespace=namespace.name,
        all_namespaces=all_namespaces,
        labels=selector,
        fields=field_selector,
        page_size=chunk_size,
    )
    look = Look(
        wide=output == "wide",
        namespaces=all_namespaces,
        labels=show_labels,
        label_columns=tuple(label for given in label_columns for label in given.split(",")),
        events=output_watch_events and (watch or watch_only),
    )
    style = Style(output, look, headers=not no_headers, managed_fields=show_managed_fields)
    if not watch and not watch_only:
        ctx.exit(_show(found(client, selected), selected, style, ignore_not_found=ignore_not_found))
    if selected.single:
        try:
            client.get(selected.reference(selected.wanted[0]))
        except ApiError as error:
            if error.code == NOT_FOUND and ignore_not_found:
                return
            raise
    follow(client, selected, style, only=watch_only)


def _show(there: Found, selected: Selection, style: Style, *, ignore_not_found: bool) -> int:
    """Prints what was found and what was not; the exit code."""
    errors = [error for error in there.errors if error.code != NOT_FOUND or not ignore_not_found]
    # Nothing is no document, unless a list was asked for.
    if there.items or not (selected.single or ignore_not_found):
        now = datetime.datetime.now(datetime.UTC)
        for text in whole(there.items, style, single=selected.single, now=now):
            click.echo(text)
    for error in errors:
        click.echo(str(error), err=True)
    if not there.items and not errors and not ignore_not_found and style.output in _FOR_PEOPLE:
        click.echo(nothing(selected), err=True)
    return 1 if errors else 0
