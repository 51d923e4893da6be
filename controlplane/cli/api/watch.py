"""`isthmus watch`: what happens to objects, as it happens.

In: a kind, and a name or selectors. Out: a line a change, after a line for each object that is there. Law: a server
that goes away and comes back is not noticed, but for the time it took.
"""

from __future__ import annotations

import datetime

import click

from controlplane.cli.api.completing import objects_argument
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.following import followed
from controlplane.cli.api.kinds import KindError
from controlplane.cli.api.printing import OUTPUTS, Output
from controlplane.cli.api.selecting import Selection, selection
from controlplane.cli.api.showing import Stream, Style
from controlplane.cli.api.tables import Look
from controlplane.configapi.client import ConfigClient


@click.command("watch")
@objects_argument("TYPE [NAME] | TYPE/NAME")
@click.option("-A", "--all-namespaces", is_flag=True, help="Objects of all namespaces, and which each is of.")
@click.option("-l", "--selector", default="", help="Only objects with these labels, such as app=a,tier!=b.")
@click.option("--field-selector", default="", help="Only objects with these fields, such as metadata.name=a.")
@click.option(
    "-o", "--output", type=click.Choice(OUTPUTS), help="Print this instead of a table; json: a line a change."
)
@click.option("--watch-only", is_flag=True, help="Leave out what there is at the start.")
@click.option("--no-headers", is_flag=True, help="Leave out the names of the columns.")
@click.option("--show-labels", is_flag=True, help="A last column with all labels.")
@click.option("--show-managed-fields", is_flag=True, help="In JSON and YAML: also who manages which field.")
@connects
def command(
    *,
    client: ConfigClient,
    namespace: Namespace,
    objects: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    output: Output | None,
    watch_only: bool,
    no_headers: bool,
    show_labels: bool,
    show_managed_fields: bool,
) -> None:
    """Print what happens to objects until Ctrl-C, such as `isthmus watch apiservices`.

    Each change is ADDED, MODIFIED or DELETED, and the object as it is then.
    """
    selected = selection(
        objects, namespace=namespace.name, all_namespaces=all_namespaces, labels=selector, fields=field_selector
    )
    look = Look(wide=output == "wide", namespaces=all_namespaces, labels=show_labels, events=True)
    style = Style(output, look, headers=not no_headers, managed_fields=show_managed_fields)
    follow(client, selected, style, only=watch_only)


def follow(client: ConfigClient, selected: Selection, style: Style, *, only: bool) -> None:
    """Prints what there is, unless `only` changes are wanted, and then every change, without an end.

    Raises:
        KindError: when more than one kind or name is selected.
        ApiError: when the server refuses the list or the watch, or was never there.
    """
    if len(selected.wanted) != 1:
        raise KindError("error: a watch is of one kind, or of one object; start one for each")
    stream = Stream(style, lambda: datetime.datetime.now(datetime.UTC))
    for number, events in enumerate(followed(client, selected.request(selected.wanted[0]))):
        if number or not only:
            for text in stream.texts(events):
                click.echo(text)
