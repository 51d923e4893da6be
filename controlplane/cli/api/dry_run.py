"""The option --dry-run.

In: the command line. Out: whether anything is written. Law: nothing is made up here: the server checks, and does
everything but write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

SUFFIX: Final = " (server dry run)"
"""What a line about an object ends with when nothing was written."""

_SERVER: Final = "server"


def dry_runs(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the option --dry-run, as `dry_run`; --dry-run=server is the same."""
    return click.option(
        "--dry-run",
        type=click.Choice(["none", _SERVER]),
        is_flag=False,
        flag_value=_SERVER,
        default="none",
        callback=lambda _context, _parameter, value: value == _SERVER,
        help="Let the server check everything and write nothing.",
    )(command)
