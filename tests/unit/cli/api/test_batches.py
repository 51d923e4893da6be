"""The batches and the order in which objects are sent."""

from __future__ import annotations

from controlplane.cli.api.batches import MOST_BYTES, MOST_OBJECTS, batches, ordered
from controlplane.cli.api.manifests import Manifest
from controlplane.resources.kinds import KINDS


def manifest(name: str, kind: str = "Role", size: int = 10) -> Manifest:
    """An object of so many bytes."""
    return Manifest("", KINDS[kind], "default", name, "x" * size)


def test_what_others_lean_on_comes_first() -> None:
    """Every kind has its place; within it, the order stays."""
    kinds = ["APIService", "RoleBinding", "ClusterRoleBinding", "Role", "ClusterRole", "EndpointSlice", "Service"]
    given = [manifest(name, kind) for kind in [*kinds, "Secret"] for name in ("b", "a")]
    found = [(one.kind.kind, one.name) for one in ordered(given)]

    assert set(KINDS) == {kind for kind, _ in found}
    assert [("Secret", "b"), ("Secret", "a"), ("Service", "b"), ("Service", "a")] == found[:4]
    assert [("APIService", "b"), ("APIService", "a")] == found[-2:]
    assert found.index(("Role", "a")) < found.index(("RoleBinding", "b"))


def test_a_batch_has_as_many_as_the_server_takes() -> None:
    """All objects are in the batches, in their order."""
    given = [manifest(str(number)) for number in range(2 * MOST_OBJECTS + 1)]
    found = list(batches(given))

    assert [MOST_OBJECTS, MOST_OBJECTS, 1] == [len(batch) for batch in found]
    assert given == [one for batch in found for one in batch]
    assert [] == list(batches([]))


def test_a_batch_is_as_big_as_the_server_takes() -> None:
    """An object that is too big goes alone, and is for the server to refuse."""
    third = MOST_BYTES // 6
    given = [manifest(str(number), size=third) for number in range(4)]
    huge = manifest("huge", size=2 * MOST_BYTES)

    assert [3, 1] == [len(batch) for batch in batches(given)]
    assert [1, 1, 1] == [len(batch) for batch in batches([given[0], huge, given[1]])]


def test_an_object_is_once_in_a_batch() -> None:
    """Of two manifests the later is applied later."""
    a, b, again = manifest("a"), manifest("b"), manifest("a")

    assert [(a, b), (again,)] == list(batches([a, b, again]))
