"""How the guilty members of a rejected response are found.

In: the resources of one rejected response, and the reason. Out: the parts to be tried next, each by itself. Law: every
part of several is smaller than the whole, so a search ends.
"""

from __future__ import annotations

from controlplane.snapshot.snapshot import Resource


def split(suspects: tuple[Resource, ...], reason: str) -> list[tuple[Resource, ...]]:
    """Two parts, neither empty: those whose name the reason holds and the others, or else two halves.

    What cannot be parted is one part, or none.
    """
    if len(suspects) < 2:
        return [suspects] if suspects else []
    named = {resource.name for resource in suspects if resource.name in reason}
    if 0 < len(named) < len(suspects):
        return [
            tuple(resource for resource in suspects if resource.name not in named),
            tuple(resource for resource in suspects if resource.name in named),
        ]
    half = len(suspects) // 2
    return [suspects[:half], suspects[half:]]
