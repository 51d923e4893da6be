"""Waiting until proxies have what was written.

In: --wait and --timeout, and what writes answer. Out: what the next write shall wait, and sentences. Law: whoever was
late once is not waited for again, and that is a failure at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import click
from google.protobuf.duration_pb2 import Duration

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.durations import seconds_option

# What the server waits at most.
_LONGEST_SECONDS: Final = 600

_Rollout = config_pb2.Rollout


def waits(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options --wait and --timeout, as `wait` and `timeout` (seconds)."""
    wait = click.option("--wait", is_flag=True, help="Wait until every connected proxy has acknowledged it.")
    timeout = seconds_option("--timeout", default="30s", text="How long to wait for proxies.", most=_LONGEST_SECONDS)
    return wait(timeout(command))


class Waiting:
    """What is known of the proxies while a command writes one thing after another."""

    def __init__(self, seconds: float | None) -> None:
        """None: nobody waits."""
        self._seconds = seconds
        self._last: _Rollout | None = None

    @property
    def duration(self) -> Duration | None:
        """What the next write shall wait; None: nothing."""
        if self._seconds is None or self.timed_out:
            return None
        return Duration(seconds=int(self._seconds))

    @property
    def timed_out(self) -> bool:
        """Whether there are proxies that did not acknowledge in time."""
        return self._last is not None and self._last.state == _Rollout.STATE_TIMED_OUT

    def answered(self, rollout: config_pb2.Rollout) -> None:
        """A write tells how far it has come; one that did not wait tells nothing."""
        if rollout.state != _Rollout.STATE_UNSPECIFIED:
            self._last = rollout

    def sentences(self, hint: str = "") -> tuple[str, ...]:
        """What came of it; `hint` is what else may keep a proxy from having it."""
        if self._last is None:
            return ()
        told = [_told(self._last, self._seconds or 0) + (hint if self.timed_out else "")]
        if self._last.rejecting:
            told.append(
                f"warning: {_names(self._last.rejecting)} rejected something that it shall hold, not necessarily of "
                "this; see isthmus proxies"
            )
        return tuple(told)


def _told(rollout: config_pb2.Rollout, seconds: float) -> str:
    match rollout.state:
        case _Rollout.STATE_ACKNOWLEDGED:
            number = rollout.acknowledged
            return f"acknowledged by {'the connected proxy' if number == 1 else f'all {number} connected proxies'}"
        case _Rollout.STATE_NO_PROXIES:
            return "no proxy is connected; whoever connects gets it"
    behind = _names(rollout.behind) if rollout.behind else "the control plane itself"
    return (
        f"error: timed out after {seconds:.0f}s: {behind} has not acknowledged yet; all of it is kept and goes on by "
        "itself: see isthmus proxies and isthmus status, or give a longer --timeout"
    )


def _names(nodes: Iterable[str]) -> str:
    return ", ".join(nodes)
