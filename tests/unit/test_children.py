"""When child processes are started again."""

from __future__ import annotations

from controlplane.children import Backoff, outcome


def test_the_wait_doubles_up_to_its_limit() -> None:
    """Half a second, doubled each time, never more than thirty."""
    backoff = Backoff()

    assert [backoff.after(0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_long_run_starts_the_row_anew() -> None:
    """A program that was up for a minute is started again at once."""
    backoff = Backoff()

    assert [backoff.after(uptime) for uptime in (0, 0, 59.9, 60, 0)] == [0.5, 1, 2, 0.5, 1]


def test_an_end_is_told_as_a_person_knows_it() -> None:
    """By exit code, or by the signal's number and name."""
    assert [outcome(3), outcome(-9)] == ["exit code 3", "signal 9, Killed"]
