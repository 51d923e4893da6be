"""`isthmus describe`: objects in all detail, for people.

In: kinds and names, the beginnings of names, or selectors. Out: text. Law: what is found is printed, whatever is
missing; then the exit code is 1.
"""

from __future__ import annotations

import datetime

import click

from controlplane.cli.api.backends import Backings
from controlplane.cli.api.completing import objects_argument
from controlplane.cli.api.connection import Namespace, connects
from controlplane.cli.api.described import text
from controlplane.cli.api.kinds import Wanted
from controlplane.cli.api.selecting import NOT_FOUND, Found, Selection, found, nothing, selection
from controlplane.configapi.client import ConfigClient


@click.command("describe")
@objects_argument("TYPE[,TYPE] [NAME]... | TYPE/NAME...")
@click.option("-A", "--all-namespaces", is_flag=True, help="Objects of all namespaces.")
@click.option("-l", "--selector", default="", help="Only objects with these labels, such as app=a,tier!=b.")
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
    chunk_size: int,
) -> None:
    """Describe objects, such as `isthmus describe apiservice v1.example.com`, and what serves them.

    A NAME that no object has stands for all names that begin so.
    """
    selected = selection(
        objects, namespace=namespace.name, all_namespaces=all_namespaces, labels=selector, page_size=chunk_size
    )
    there = found(client, selected)
    if selected.single and [error.code for error in there.errors] == [NOT_FOUND]:
        there = _beginning(client, selected) or there
    backings, now = Backings(client), datetime.datetime.now(datetime.UTC)
    for number, item in enumerate(there.items):
        if number:
            click.echo("\n")
        click.echo(text(item, backings.of(item), now))
    for error in there.errors:
        click.echo(str(error), err=True)
    if not there.items and not there.errors:
        click.echo(nothing(selected), err=True)
    ctx.exit(1 if there.errors else 0)


def _beginning(client: ConfigClient, selected: Selection) -> Found | None:
    """The objects whose names begin as the one that was asked for, None when there is none."""
    [asked] = selected.wanted
    everything = Selection((Wanted(asked.kind),), selected.namespace, page_size=selected.page_size)
    items = tuple(item for item in found(client, everything).items if item.reference.name.startswith(asked.name))
    return Found(items) if items else None
