"""The benchmarks run seldom, by hand: that they can still be loaded is seen here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_everything_that_benchmarks_need_is_there() -> None:
    """All that can be run are imported, as they import their neighbours, without being run."""
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text())
    command = [sys.executable, "-c", f"import {', '.join(names)}"]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=60, check=False)

    assert len(names) > 5
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
