"""The command `isthmus`: one module a verb, loaded only when it is called, so that `isthmus --help` is instant.

In: command-line arguments. Out: work done, an exit code, and for whatever stops the program one sentence on stderr.
Law: no traceback reaches a person who did not ask for one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from controlplane import __version__
from controlplane.errors import IsthmusError

_COMMANDS: Final = MappingProxyType(
    {
        "up": "Run everything on this machine: control plane, Envoy and a demo API server.",
        "serve": "Run the control plane alone, with a settings file.",
        "sidecar": "Run control plane and Envoy beside one API server or one client.",
        "prepare": "Write what programs in containers start from: certificates, settings, a kubeconfig.",
        "bootstrap": "Print the Envoy bootstrap that fits a settings file.",
        "status": "Show what is registered and what is wrong with the rest.",
        "proxies": "Show which proxies are connected and whether they hold what they shall.",
        "explain": "Explain what becomes of a request: who asks, by which rule, and where it goes.",
        "confirm-removals": "Let removals go that are withheld because they are many.",
        "apply": "Make objects of the config API what manifests say.",
        "diff": "Show what apply would change.",
        "delete": "Remove objects of the config API.",
        "get": "Show objects of the config API, as kubectl does.",
        "describe": "Show objects of the config API in all detail, and what serves them.",
        "watch": "Print what happens to objects of the config API, as it happens.",
        "config": "Choose which control plane the commands above call.",
        "completion": "Print what makes a shell complete the words of this command.",
        "validate": "Check manifests without a server.",
        "backup": "Copy the database of the store, also while it is in use.",
        "restore": "Put a backup in the place of the database of the store.",
    }
)
"""The verbs and what `isthmus --help` says about them; each is the `command` of the module of its name, _ for -."""

_API: Final = frozenset({"apply", "diff", "delete", "get", "describe", "watch", "config", "completion"})
"""Verbs that are clients of the config API; their modules are in `controlplane.cli.api`."""

_HIDDEN: Final = frozenset({"authz-worker"})
"""Verbs that programs use, and `isthmus --help` does not tell of."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the garbage collector away: what imports make stays, and to look through it takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Commands(click.Group):
    """A group that imports a verb's module when the verb is called, and turns exceptions into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in _COMMANDS and cmd_name not in _HIDDEN:
            return None
        # gRPC's core writes to stderr in a form of its own; what a person needs to know of it, Python says too. This is
        # read once, when gRPC is loaded.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        package = f"{__name__}.api" if cmd_name in _API else __name__
        with uncollected():
            command = import_module(f"{package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101 -- narrows what import_module cannot type
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- the same
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            # click knows what to do when nobody reads any more.
            raise
        except Exception as error:
            if os.environ.get("ISTHMUS_TRACEBACK"):
                raise
            reasons = [leaf for leaf in _leaves(error) if isinstance(leaf, IsthmusError)]
            for reason in reasons:
                click.echo(str(reason), err=True)
            if not reasons:
                click.echo(
                    f"internal error: {type(error).__name__}: {error}; please report it, "
                    "with what ISTHMUS_TRACEBACK=1 in the environment adds",
                    err=True,
                )
            ctx.exit(max((reason.exit_code for reason in reasons), default=1))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="isthmus")
def main() -> None:
    """The front door for Kubernetes-style APIs, on Envoy."""
