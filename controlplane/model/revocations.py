"""Which verdicts given earlier no longer hold, told so that a cache far away can see it for itself.

In: what each change of policy took away. Out: a floor and a short list, both by policy generation. Law: a verdict that
holds by them would be given again; rights only add up, so what a change adds takes no verdict away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from controlplane.model.rbac import Holder, RoleKey

_KEPT: Final = 32
# 48 bits: two grounds that share a digest make one verdict too many be asked for again, and nothing worse.
_DIGITS: Final = 12


def holder_ground(holder: Holder) -> str:
    """What a verdict rests on when a binding of `holder` gave it; letters and digits."""
    return _digest("holder", holder.kind, holder.name, holder.namespace)


def role_ground(key: RoleKey) -> str:
    """What a verdict rests on when a rule of the role gave it; letters and digits."""
    return _digest("role", key.namespace, key.name)


@dataclass(frozen=True, slots=True)
class Revocations:
    """A verdict of generation g holds when g >= `floor` and no ground it rests on has a generation above g.

    `grounds` are pairs (ground, generation of the policy that took it away), the oldest first, each ground once.
    """

    floor: int = 0
    grounds: tuple[tuple[str, int], ...] = ()

    def followed_by(self, generation: int, lost: Iterable[str]) -> Revocations:
        """The same after the policy of `generation` has taken the grounds `lost` away.

        More than 32 would cost every request, so the oldest are forgotten, and the floor rises to when they were taken.
        """
        kept = dict(self.grounds)
        for ground in sorted(set(lost)):
            kept.pop(ground, None)
            kept[ground] = generation
        pairs = tuple(kept.items())
        forgotten, pairs = pairs[:-_KEPT], pairs[-_KEPT:]
        return Revocations(max([self.floor, *(generation for _, generation in forgotten)]), pairs)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:_DIGITS]
