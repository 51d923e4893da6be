"""What is wrong at the moment, from everybody who finds something wrong.

In: the problems of each source, whole. Out: all of them together, and log lines. Law: a problem is logged once when it
comes and once when it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog

from controlplane.model.problem import Problem


class Problems:
    """What is wrong at the moment, by who says so; the log is told once when a problem comes and once when it goes."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        self._log = log
        self._known: dict[str, frozenset[Problem]] = {}

    def reporter(self, source: str) -> Callable[[Iterable[Problem]], None]:
        """What `source` calls with all the problems it has now."""
        return partial(self._take, source)

    def all(self) -> frozenset[Problem]:
        """Every problem there is."""
        return frozenset().union(*self._known.values())

    def of(self, source: str) -> str:
        """The problems that `source` has now, in one line; "" for none."""
        return "; ".join(str(problem) for problem in sorted(self._known.get(source, ())))

    def _take(self, source: str, problems: Iterable[Problem]) -> None:
        before, now = self._known.get(source, frozenset()), frozenset(problems)
        for problem in sorted(now - before):
            self._log.warning("problem", problem=str(problem))
        for problem in sorted(before - now):
            self._log.info("problem solved", problem=str(problem))
        self._known[source] = now
