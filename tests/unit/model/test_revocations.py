from __future__ import annotations

from controlplane.model.rbac import Holder, RoleKey
from controlplane.model.revocations import Revocations, holder_ground, role_ground


def test_nothing_is_revoked_at_first() -> None:
    """The zero value lets every verdict of every generation hold."""
    assert Revocations() == Revocations(floor=0, grounds=())


def test_what_was_taken_is_listed_with_its_generation() -> None:
    """The oldest first, each ground once, at the generation that took it last."""
    actual = Revocations().followed_by(2, ["b", "a"]).followed_by(3, ["c"]).followed_by(4, ["a"])

    assert Revocations(0, (("b", 2), ("c", 3), ("a", 4))) == actual


def test_the_list_is_short_and_the_floor_rises_above_what_is_forgotten() -> None:
    """After 40 revocations 32 are listed, and no verdict from before the eighth is left standing."""
    actual = Revocations()
    for generation in range(1, 41):
        actual = actual.followed_by(generation, [f"g{generation}"])

    assert actual.floor == 8
    assert [f"g{generation}" for generation in range(9, 41)] == [ground for ground, _ in actual.grounds]


def test_many_at_once_are_all_revoked() -> None:
    """A change that takes more than the list holds raises the floor to its own generation."""
    actual = Revocations(3, (("a", 4),)).followed_by(5, [f"g{number}" for number in range(100)])

    assert (5, 32) == (actual.floor, len(actual.grounds))
    assert {5} == {generation for _, generation in actual.grounds}


def test_grounds_of_different_things_differ() -> None:
    """Kind, name and namespace all count, wherever they are cut."""
    grounds = {
        holder_ground(Holder("User", "a", "")),
        holder_ground(Holder("Group", "a", "")),
        holder_ground(Holder("User", "a", "n")),
        holder_ground(Holder("User", "an", "")),
        role_ground(RoleKey("", "a")),
        role_ground(RoleKey("a", "")),
        role_ground(RoleKey("n", "a")),
    }

    assert len(grounds) == 7
    assert all(ground.isalnum() and ground.isascii() for ground in grounds)
