"""What differs between two lists of objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlplane.auth.rbac import differing


class Thing:
    """An object that must be told from others by identity, and never hashed."""

    __hash__ = None  # type: ignore[assignment] - whoever hashes it fails

    def __eq__(self, other: object) -> bool:
        return True


THINGS = [Thing() for _ in range(30)]
LISTS = st.lists(st.sampled_from(range(30)), unique=True).map(lambda numbers: [THINGS[number] for number in numbers])


def ids(things: list[Thing]) -> set[int]:
    """Who they are."""
    return {id(thing) for thing in things}


@given(LISTS, LISTS)
def test_what_differs_is_found_by_identity(old: list[Thing], new: list[Thing]) -> None:
    """Whatever was added, removed, replaced or moved: exactly the objects of one list alone, each once."""
    gone, come = differing(old, new)

    assert (ids(gone), ids(come)) == (ids(old) - ids(new), ids(new) - ids(old))
    assert (len(gone), len(come)) == (len(ids(gone)), len(ids(come)))


@given(st.permutations(range(30)), st.integers(0, 29))
def test_one_that_moves_to_the_end_is_another(order: list[int], at: int) -> None:
    """As the registry replaces an object: the old one goes, the new one comes last."""
    old, fresh = [THINGS[number] for number in order], Thing()

    gone, come = differing(old, [*old[:at], *old[at + 1 :], fresh])

    assert (ids(gone), ids(come)) == ({id(old[at])}, {id(fresh)})
