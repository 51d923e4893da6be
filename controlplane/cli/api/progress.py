"""How far a long command is, for whoever looks on.

In: how many objects there are, and how many are done. Out: a bar on the terminal. Law: nothing of it gets into a file
or a pipe, and lines that are printed meanwhile stay whole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """A bar, which makes way for the lines that are printed."""

    def __init__(self, advance: Callable[[int], None] | None) -> None:
        """None: nobody looks on."""
        self._advance = advance

    def done(self, number: int) -> None:
        """So many objects more are done."""
        if self._advance is not None:
            self._advance(number)

    def say(self, line: str, *, err: bool = False) -> None:
        """Prints a line."""
        if self._advance is not None:
            click.echo(_CLEAR, nl=False, err=True)
        click.echo(line, err=err)


@contextmanager
def progress(total: int, label: str, *, least: int) -> Iterator[Progress]:
    """A bar for so many objects on standard error; none when it is no terminal, or there are fewer than `least`."""
    if total < least or not sys.stderr.isatty():
        yield Progress(None)
        return
    with click.progressbar(length=total, label=label, show_pos=True, file=sys.stderr) as bar:
        yield Progress(bar.update)
