"""A response in wire form, joined from frames made once per resource.

In: frames, a nonce, names. Out: the bytes of a DeltaDiscoveryResponse or DiscoveryResponse. Law: a resource is never
serialised here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from controlplane.snapshot.framing import length_delimited
from controlplane.snapshot.snapshot import Resource


@dataclass(frozen=True, slots=True)
class Response:
    """One response to be written: how many resources it carries and removes, and its parts."""

    type_url: str
    nonce: str
    upserts: int
    removals: int
    parts: tuple[bytes | memoryview, ...]

    def encode(self) -> bytes:
        """The serialised message."""
        return b"".join(self.parts)


def delta(
    type_url: str, nonce: str, resources: Iterable[Resource], removed: Sequence[str], identifier: str
) -> Response:
    """A DeltaDiscoveryResponse; `identifier` names this control plane in Envoy's statistics."""
    frames = [resource.delta_frame for resource in resources]
    gone = (length_delimited(6, name.encode()) for name in removed)
    tail = b"".join((*gone, length_delimited(5, nonce.encode()), _constant(type_url, identifier, 7)))
    return Response(type_url, nonce, len(frames), len(removed), (*frames, tail))


def sotw(type_url: str, nonce: str, resources: Iterable[Resource], version: str, identifier: str) -> Response:
    """A DiscoveryResponse of the state-of-the-world protocol."""
    frames = [resource.sotw_frame for resource in resources]
    tail = b"".join(
        (
            length_delimited(1, version.encode()),
            length_delimited(5, nonce.encode()),
            _constant(type_url, identifier, 6),
        )
    )
    return Response(type_url, nonce, len(frames), 0, (*frames, tail))


# A thousand streams end their responses alike.
@lru_cache(maxsize=128)
def _constant(type_url: str, identifier: str, control_plane: int) -> bytes:
    """The fields that every response of a type has: its type, and who sends it in field `control_plane`."""
    return length_delimited(4, type_url.encode()) + length_delimited(
        control_plane, length_delimited(1, identifier.encode())
    )
