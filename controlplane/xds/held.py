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


class Behind(dict[str, Held]):
    """What a client holds instead of what the table says, by name; changed by `put` and `drop`, which keep count.

    `leaving` are the names that it holds and the table lacks; `lacking` counts those of which it holds nothing.
    """

    __slots__ = ("lacking", "leaving")

    def __init__(self) -> None:
        super().__init__()
        self.leaving: dict[str, None] = {}
        self.lacking = 0

    def put(self, name: str, held: Held, *, listed: bool) -> None:
        """Records what is held under `name`, and whether the table has it."""
        self.lacking += (held is None) - (self.get(name, self) is None)
        self[name] = held
        if held is None or listed:
            self.leaving.pop(name, None)
        else:
            self.leaving[name] = None

    def drop(self, name: str) -> None:
        """Forgets `name`."""
        self.lacking -= self.pop(name, self) is None
        self.leaving.pop(name, None)


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that waits for its acknowledgement; an item that is None was removed."""

    nonce: str
    items: Mapping[str, Resource | None]


def version_of(held: Held) -> str | None:
    """The version of what is held, or None when nothing is."""
    return None if held is None else held.version
