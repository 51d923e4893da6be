from __future__ import annotations

import pytest

from controlplane.sources.settle import PATIENCE_SECONDS, QUIET_SECONDS, Settling


def test_a_whole_file_is_due_at_once() -> None:
    """A file that appeared whole waits for nothing."""
    settling = Settling()
    settling.note("a", 5.0, whole=True)

    assert settling.next_due() == 5.0
    assert frozenset({"a"}) == settling.take(5.0)
    assert settling.next_due() is None


def test_a_file_being_written_is_due_when_quiet() -> None:
    """Each report of a file puts it off by the quiet time."""
    settling = Settling()
    settling.note("a", 5.0, whole=False)
    settling.note("a", 5.02, whole=False)

    assert frozenset() == settling.take(5.0 + QUIET_SECONDS)
    assert frozenset({"a"}) == settling.waiting()
    assert frozenset({"a"}) == settling.take(5.02 + QUIET_SECONDS)
    assert frozenset() == settling.waiting()


def test_a_file_that_comes_back_goes_on_waiting() -> None:
    """What appears where something was just removed may still be written, so it is no whole file."""
    settling = Settling()
    settling.note("a", 5.0, whole=False)
    settling.note("a", 5.01, whole=True)

    assert settling.next_due() == pytest.approx(5.01 + QUIET_SECONDS)


def test_a_file_that_is_never_quiet_is_read_all_the_same() -> None:
    """Reports without a pause put a file off no longer than the patience."""
    settling = Settling()
    for step in range(1000):
        settling.note("a", 5.0 + step * 0.01, whole=False)

    assert settling.next_due() == pytest.approx(5.0 + PATIENCE_SECONDS)
