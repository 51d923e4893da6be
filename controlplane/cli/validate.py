"""`isthmus validate`: manifests judged without a server.

In: files, folders or standard input. Out: one line a problem on stderr, or how many objects are valid. Law: what passes
here is what a running control plane takes, because the same code judges it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from controlplane.errors import ManifestError
from controlplane.model.problem import Problem
from controlplane.sources import check


@click.command("validate")
@click.option(
    "-f",
    "--filename",
    "paths",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file, a folder (with all below it), or - for standard input; can be given again.",
)
def command(paths: tuple[Path, ...]) -> None:
    """Check manifests without a server."""
    valid, problems = 0, list[Problem]()
    for path in paths:
        found, wrong = _judged(path)
        valid += found
        problems += wrong
    good = f"{valid} object is valid" if valid == 1 else f"{valid} objects are valid"
    if problems:
        for problem in problems:
            click.echo(str(problem), err=True)
        raise ManifestError(f"{good}; problems: {len(problems)}")
    click.echo(good)


def _judged(path: Path) -> tuple[int, tuple[Problem, ...]]:
    if str(path) == "-":
        return check.validate_text(sys.stdin.buffer.read())
    return check.validate(path)
