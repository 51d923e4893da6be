"""`isthmus completion`: the script that makes a shell complete words.

In: the name of a shell. Out: its script. Law: what is completed is what the commands say of themselves.
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_PROGRAM: Final = "isthmus"
_VARIABLE: Final = "_ISTHMUS_COMPLETE"


_EPILOG: Final = """\b
bash (4.4 or newer):  source <(isthmus completion bash)
zsh:                  source <(isthmus completion zsh)
fish:                 isthmus completion fish | source
"""


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """Print what makes a shell complete the words of `isthmus`."""
    chosen = get_completion_class(shell)
    assert chosen is not None  # noqa: S101 - click has all three
    click.echo(chosen(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
