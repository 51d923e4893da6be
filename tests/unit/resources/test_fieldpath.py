from __future__ import annotations

import pytest

from controlplane.resources import fieldpath
from controlplane.resources.fieldpath import VALUE, field, key, path_of, ranked

PORTS = path_of("spec", "ports")
PORT = key([("protocol", "TCP"), ("port", 80)])
FIELDS = {
    "f:metadata": {"f:finalizers": {".": {}, 'v:"example.com/a"': {}}},
    "f:spec": {"f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}, "f:type": {}},
}
PATHS = frozenset(
    {
        path_of("metadata", "finalizers"),
        (*path_of("metadata", "finalizers"), (VALUE, ranked("example.com/a"))),
        PORTS,
        (*PORTS, PORT),
        (*PORTS, PORT, field("name")),
        path_of("spec", "type"),
    }
)


def test_paths_are_written_and_read_as_fields_v1() -> None:
    """A set of paths and its fieldsV1 form stand for each other."""
    assert FIELDS == fieldpath.encode(PATHS)
    assert PATHS == fieldpath.decode(FIELDS)


def test_paths_are_told_a_level_first() -> None:
    """Members of a level come before what lies below them, each with its keys."""
    expected = [
        ".metadata.finalizers",
        '.metadata.finalizers[="example.com/a"]',
        ".spec.ports",
        ".spec.type",
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].name',
    ]

    assert expected == [fieldpath.shown(path) for path in fieldpath.ordered(PATHS)]


@pytest.mark.parametrize("fields", [[], {"x": {}}, {"f:a": 1}, {"k:[]": {}}, {"i:true": {}}, {"v:{": {}}])
def test_what_is_no_fields_v1_is_refused(fields: object) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - any of its sentences
        fieldpath.decode(fields)
