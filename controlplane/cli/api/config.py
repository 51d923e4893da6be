"""`isthmus config`: the contexts file.

In: the names of contexts, and what they shall be. Out: the file, tables and sentences. Law: no certificate, key or
token is ever in the file: it names the files they are in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from controlplane.cli import files
from controlplane.cli.api import contexts
from controlplane.cli.api.connection import context_names
from controlplane.cli.api.contexts import ContextError
from controlplane.cli.asking import aligned

_file = click.Path(dir_okay=False, path_type=Path)
_name = click.argument("name", shell_complete=context_names)


@click.group("config")
def command() -> None:
    """Choose which control plane the commands of the config API call.

    The file is $ISTHMUSCONFIG, or else ~/.config/isthmus/contexts.yaml.
    """


@command.command("get-contexts")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=context_names)
@click.option("-o", "--output", type=click.Choice(["name"]), help="Print the names alone.")
@click.option("--no-headers", is_flag=True, help="Leave out the names of the columns.")
def get_contexts(*, names: tuple[str, ...], output: str | None, no_headers: bool) -> None:
    """List the contexts; * marks the current one."""
    known = contexts.load(_place())
    shown = [known.named(name) for name in names] or known.contexts
    if output == "name":
        click.echo("".join(f"{context.name}\n" for context in shown), nl=False)
        return
    rows = [] if no_headers else [("CURRENT", "NAME", "SERVER", "NAMESPACE")]
    rows += [(_mark(each.name, known.current), each.name, each.server, each.namespace) for each in shown]
    if rows:
        click.echo(aligned(rows))


@command.command("current-context")
def current_context() -> None:
    """Print the name of the current context."""
    current = contexts.load(_place()).current
    if not current:
        raise ContextError("error: current-context is not set; choose one with `isthmus config use-context`")
    click.echo(current)


@command.command("use-context")
@_name
def use_context(*, name: str) -> None:
    """Make a context the current one."""
    contexts.save(_place(), contexts.load(_place()).using(name))
    click.echo(f'Switched to context "{name}".')


@command.command("set-context")
@click.argument("name", required=False, shell_complete=context_names)
@click.option("--current", is_flag=True, help="Change the current context.")
@click.option("-s", "--server", help="The server: unix:/path, HOST:PORT, or https://HOST:PORT.")
@click.option("-n", "--namespace", help="The namespace of objects that say none.")
@click.option("--certificate-authority", type=_file, help="Who may have signed the server's certificate (PEM).")
@click.option("--client-certificate", type=_file, help="A client certificate to show (PEM).")
@click.option("--client-key", type=_file, help="The key of it (PEM).")
@click.option("--tls-server-name", help="The name that the server's certificate must have.")
@click.option("--token-file", type=_file, help="A file with a bearer token to show.")
def set_context(*, name: str | None, current: bool, **given: Any) -> None:  # noqa: ANN401 -- the options above
    """Make a context, or change what is given of one; "" takes a setting away."""
    known = contexts.load(_place())
    if bool(name) == current:
        raise click.UsageError("Give the name of a context, or --current.")
    name = name or known.current
    before = next((context.document() for context in known.contexts if context.name == name), None)
    if current:
        known.named(name)
    settings: dict[str, object] = {"name": name, **(before or {})}
    for option, value in given.items():
        if value is not None:
            settings[option.replace("_", "-")] = _written(value)
    context = contexts.checked(f'context "{name}"', {key: value for key, value in settings.items() if value != ""})
    contexts.save(_place(), known.with_context(context))
    click.echo(f'Context "{name}" {"created" if before is None else "modified"}.')


@command.command("delete-context")
@_name
def delete_context(*, name: str) -> None:
    """Remove a context."""
    known = contexts.load(_place())
    contexts.save(_place(), known.without(name))
    if known.current == name:
        click.echo("warning: this was the current context; choose another with `isthmus config use-context`", err=True)
    click.echo(f"deleted context {name} from {_place()}")


@command.command("view")
def view() -> None:
    """Print the contexts file as it is understood."""
    click.echo(files.as_yaml(contexts.document(contexts.load(_place()))), nl=False)


def _mark(name: str, current: str) -> str:
    return "*" if name == current else ""


def _place() -> Path:
    return contexts.place(os.environ, Path.home())


def _written(value: object) -> object:
    """A path as it is written into a file that lies elsewhere."""
    if not isinstance(value, Path):
        return value
    return "" if value == Path() else str(value.absolute())
