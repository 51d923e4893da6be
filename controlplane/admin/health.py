"""Whether all is well: the checks behind /livez and /readyz, and what is answered.

In: checks by name, and the query of a request. Out: a status code and a text, to the letter those of kube-apiserver.
Law: why a check fails is told only to who asks for that check by its name, and one that fails is never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Wrong: TypeAlias = Callable[[], str]
"""What is wrong at the moment, "" for nothing; never raises and never waits."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that may be wrong.

    An `advisory` one is shown and can be asked for by name, and the whole is well without it.
    """

    name: str
    wrong: Wrong
    advisory: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code, and a text for people."""

    status: int
    text: str


class Health:
    """The checks of one page, such as "readyz", in the order they were added; each name is there once."""

    def __init__(self, page: str, checks: Iterable[Check] = ()) -> None:
        self._page = page
        self._checks: dict[str, Check] = {}
        for check in (Check("ping", lambda: ""), *checks):
            self.add(check)

    def add(self, check: Check) -> None:
        """Has one more thing looked at.

        Raises:
            ValueError: when there is a check of that name.
        """
        if check.name in self._checks:
            raise ValueError(f"{self._page} has a check {check.name} already; give this one a name of its own")
        self._checks[check.name] = check

    def all(self, *, verbose: bool = False, exclude: Collection[str] = ()) -> Answer:
        """How everything is, but for the excluded checks; a failure is always told check by check."""
        lines, failed = [], False
        for check in self._checks.values():
            if check.name in exclude:
                lines.append(f"[+]{check.name} excluded: ok")
            elif check.wrong():
                lines.append(f"[-]{check.name} failed: reason withheld")
                failed |= not check.advisory
            else:
                lines.append(f"[+]{check.name} ok")
        lines.extend(self._unknown(exclude))
        if failed:
            return Answer(500, "\n".join((*lines, f"{self._page} check failed", "")))
        return Answer(200, "\n".join((*lines, f"{self._page} check passed", "")) if verbose else "ok")

    def one(self, name: str) -> Answer | None:
        """How one check is, advisory or not, and why; None when there is no such check."""
        check = self._checks.get(name)
        if check is None:
            return None
        wrong = check.wrong()
        return Answer(500, f"internal server error: {wrong}\n") if wrong else Answer(200, "ok")

    def _unknown(self, exclude: Collection[str]) -> Iterator[str]:
        names = ",".join(f'"{name}"' for name in sorted(set(exclude) - self._checks.keys()))
        if names:
            yield f"warn: some health checks cannot be excluded: no matches for {names}"


def unless(well: Callable[[], bool], sentence: str) -> Wrong:
    """A check that fails, with that sentence, while something does not hold."""
    return lambda: "" if well() else sentence
