"""Lengths of time on the command line.

In: text such as "30s", or a number of seconds. Out: seconds. Law: what a settings file takes for a length is one here.
"""

from __future__ import annotations

from collections.abc import Callable

import click
from pydantic import TypeAdapter, ValidationError

from controlplane.settings.duration import Duration


def seconds_option(
    name: str, *, default: str, text: str, most: int | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option that is a length of time, in seconds; at most `most` of them, None: any length."""

    def read(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
        found = seconds(value)
        if most is not None and found > most:
            raise click.BadParameter(f"{value} is longer than the server waits, {most}s")
        return found

    return click.option(name, metavar="DURATION", default=default, show_default=True, callback=read, help=text)


def seconds(text: str) -> float:
    """The seconds of a length as kubectl takes it: "90s", "1h30m", or "90".

    Raises:
        BadParameter: when it is none.
    """
    written = f"{text}s" if text.isascii() and text.isdigit() else text
    try:
        return TypeAdapter(Duration).validate_python(written).total_seconds()
    except (ValidationError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no length of time; write it such as 30s, 5m or 1h") from error
