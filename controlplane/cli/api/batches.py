"""Objects in the batches and in the order in which they are sent.

In: manifests. Out: the same in batches. Law: what others lean on is there before they are, so that nothing is served by
half; no object is twice in a batch, and of two manifests of one object the later has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from controlplane.cli.api.manifests import Manifest
from controlplane.resources.kinds import Kind

MOST_OBJECTS: Final = 128
"""What a batch holds at most."""
MOST_BYTES: Final = 1_572_864
"""The size of a batch at most, as the server stores it."""

# What is stored says who manages which field besides, which is as long as the object when the object is small.
_SENT_BYTES: Final = MOST_BYTES // 2
_RANKS: Final = MappingProxyType(
    {
        "Secret": 0,
        "Service": 1,
        "EndpointSlice": 2,
        "ClusterRole": 3,
        "Role": 3,
        "ClusterRoleBinding": 4,
        "RoleBinding": 4,
        "APIService": 5,
    }
)


def rank(kind: Kind) -> int:
    """The place of a kind among the kinds: what others lean on comes first."""
    return _RANKS[kind.kind]


def ordered(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """What others lean on first; otherwise as they were given."""
    return tuple(sorted(manifests, key=lambda manifest: rank(manifest.kind)))


def batches(manifests: Iterable[Manifest]) -> Iterator[tuple[Manifest, ...]]:
    """The manifests in their order, in batches that the server takes unless an object is too big by itself."""
    batch: list[Manifest] = []
    keys: set[tuple[str, str, str]] = set()
    size = 0
    for manifest in manifests:
        length = len(manifest.text.encode())
        if batch and (len(batch) == MOST_OBJECTS or size + length > _SENT_BYTES or manifest.key in keys):
            yield tuple(batch)
            batch, keys, size = [], set(), 0
        batch.append(manifest)
        keys.add(manifest.key)
        size += length
    if batch:
        yield tuple(batch)
