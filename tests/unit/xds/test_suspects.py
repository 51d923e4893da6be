"""The search for the guilty members of a rejected response."""

import pytest

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.snapshot import Resource
from controlplane.xds.suspects import split


@pytest.mark.parametrize(
    ("names", "reason", "parts"),
    [
        ("abcd", "?", [["a", "b"], ["c", "d"]]),
        ("xyz", "?", [["x"], ["y", "z"]]),
        ("xyz", "y does not hold", [["x", "z"], ["y"]]),
        ("xyz", "xyz", [["x"], ["y", "z"]]),
        ("x", "x", [["x"]]),
        ("", "", []),
    ],
)
def test_split(names: str, reason: str, parts: list[list[str]]) -> None:
    """The named go apart from the others when that parts them; otherwise halves, so every step gets nearer."""
    suspects = tuple(Resource.of(CLUSTER, name, b"") for name in names)

    assert parts == [[resource.name for resource in part] for part in split(suspects, reason)]
