from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from controlplane.model.problem import Origin, Problem
from controlplane.problems import Problems

FULL = Problem(Origin("data.db"), "", "store", "cannot be written", "make room")
TORN = Problem(Origin("a.yaml"), "", "", "is not YAML", "mend it")


def test_a_problem_is_said_when_it_comes_and_when_it_goes() -> None:
    """Once each, however often it is reported; `all` and `of` have what there is at the moment."""
    with capture_logs() as logs:
        problems = Problems(structlog.get_logger())
        for _ in range(2):
            problems.reporter("store")([FULL])
            problems.reporter("files")([TORN])

        assert frozenset((FULL, TORN)) == problems.all()
        assert str(FULL) == problems.of("store")
        problems.reporter("store")([])

    assert "" == problems.of("store")
    assert "" == problems.of("nobody")
    expected = [("problem", str(FULL)), ("problem", str(TORN)), ("problem solved", str(FULL))]
    assert expected == [(line["event"], line["problem"]) for line in logs]
