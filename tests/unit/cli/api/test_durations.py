"""Lengths of time on the command line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from controlplane.cli.api.durations import seconds, seconds_option


@pytest.mark.parametrize(("text", "length"), [("30s", 30), ("1h2m3s", 3723), ("90", 90), ("0", 0), ("10m", 600)])
def test_a_length_is_in_seconds(text: str, length: int) -> None:
    """A number alone is of seconds."""
    assert length == seconds(text)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5s", "3s1m", "9" * 30])
def test_what_is_no_length_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(click.BadParameter, match="write it such as 30s"):
        seconds(text)


def test_the_option_has_a_default_and_a_limit() -> None:
    """What is beyond it is a usage error that names the option."""

    @click.command()
    @seconds_option("--timeout", default="30s", text="How long.", most=600)
    def command(*, timeout: float) -> None:
        click.echo(timeout)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command, arguments)

    assert "30.0\n" == run().stdout
    assert "600.0\n" == run("--timeout", "10m").stdout
    assert 2 == run("--timeout", "601").exit_code
    assert "'--timeout': 601 is longer than the server waits, 600s" in run("--timeout", "601").stderr
    assert "--timeout DURATION  How long.  [default: 30s]" in run("--help").stdout
