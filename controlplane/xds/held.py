"""What a client holds of one name, and what is on its way to it.

In: nothing. Out: values. Law: content that is not known is never taken for content that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.snapshot.snapshot import Resource


@dataclass(frozen=True, slots=True)
class Claim:
    """A resource that the client says it holds from before this stream: its version is known, its content is not."""

    version: str


Held = Resource | Claim | None
"""What a client holds under a name; None is nothing."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that waits for its acknowledgement; an item that is None was removed."""

    nonce: str
    items: Mapping[str, Resource | None]


def version_of(held: Held) -> str | None:
    """The version of what is held, or None when nothing is."""
    return None if held is None else held.version
