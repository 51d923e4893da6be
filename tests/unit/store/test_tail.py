from __future__ import annotations

import pytest

from controlplane.store.interface import Batch, Event, Key, Scope, Stored
from controlplane.store.rows import Stretch
from controlplane.store.tail import Tail


def _batch(revision: int, *names: str, size: int = 1) -> Batch:
    keys = [Key("r", "", name) for name in names or ("a",)]
    return Batch(revision, tuple(Event(key, Stored(key, b"x" * size, revision, revision), None) for key in keys))


def _filled(tail: Tail, first: int, last: int) -> Tail:
    for revision in range(first, last + 1):
        tail.add(_batch(revision))
    return tail


@pytest.mark.parametrize(("after", "revisions"), [(5, [6, 7, 8]), (7, [8]), (8, [])])
def test_what_is_after_a_revision(after: int, revisions: list[int]) -> None:
    """All batches after it; none when it is the last."""
    tail = _filled(Tail(5), 6, 8)

    assert Stretch(tuple(_batch(revision) for revision in revisions), 8) == tail.since(Scope(), after)


def test_what_is_before_it_is_not_told() -> None:
    """None, which is another answer than nothing: somebody else knows."""
    assert Tail(5).since(Scope(), 4) is None
    assert Stretch((), 5) == Tail(5).since(Scope(), 5)


def test_no_more_batches_than_allowed() -> None:
    """The oldest go first."""
    tail = _filled(Tail(0, batches=3), 1, 10)

    assert tail.since(Scope(), 6) is None
    assert Stretch(tuple(map(_batch, (8, 9, 10))), 10) == tail.since(Scope(), 7)


def test_no_more_bytes_than_allowed() -> None:
    """A batch that is too large for it alone leaves it empty, and those after it are held again."""
    tail = _filled(Tail(0, size=10), 1, 5)
    tail.add(_batch(6, size=11))

    assert tail.since(Scope(), 5) is None
    assert Stretch((), 6) == tail.since(Scope(), 6)
    assert Stretch((_batch(7),), 7) == _filled(tail, 7, 7).since(Scope(), 6)


def test_events_out_of_scope_are_left_out() -> None:
    """A batch with none in scope is passed over, and counts as reached."""
    tail = Tail(0)
    both = _batch(1, "a", "b")
    tail.add(Batch(1, (both.events[0], Event(Key("s", "", "c"), None, None))))
    tail.add(Batch(2, (Event(Key("s", "", "c"), None, None),)))

    assert Stretch((Batch(1, (both.events[0],)),), 2) == tail.since(Scope("r"), 0)


def test_a_stretch_is_not_too_long() -> None:
    """Who is far behind gets what there is in parts."""
    tail = _filled(Tail(0), 1, 1000)
    stretch = tail.since(Scope(), 100)

    assert stretch is not None
    assert (256, 356) == (len(stretch.batches), stretch.reached)
