"""How far one proxy is, as people and monitoring are told.

In: what the xDS faces know. Out: values for tables, gRPC and JSON. Law: times are seconds on the clock of the xDS
faces, not of the day, so two values are equal exactly when nothing has happened in between; what there may be 10,000 of
is looked up when it is asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


class ProxyState(enum.Enum):
    """Whether what a proxy holds is what it shall hold."""

    SYNCED = "SYNCED"
    """Everything that was offered is acknowledged."""
    STALE = "STALE"
    """Something that is offered is not acknowledged yet."""
    REJECTED = "REJECTED"
    """Something that it shall hold was rejected, and is not sent again until it changes."""


class ResourceState(enum.Enum):
    """Whether a proxy holds one resource as it shall."""

    SYNCED = "SYNCED"
    """It acknowledged what it shall hold."""
    NOT_SENT = "NOT_SENT"
    """It holds nothing of the name and nothing is on its way: it has to wait, or there is no such resource."""
    STALE = "STALE"
    """It holds something else, or has not acknowledged what was sent, or its removal."""
    REJECTED = "REJECTED"
    """What it shall hold was rejected, and is not sent again until it changes."""


@dataclass(frozen=True, slots=True)
class ProxyResource:
    """One resource of a proxy: the version that it acknowledged, "" for none, and the one that it shall hold.

    `wanted` is "" for what shall not exist. `reason` is why `wanted` was rejected, at `rejected_at` by this very proxy.
    """

    name: str
    held: str
    wanted: str
    state: ResourceState
    reason: str = ""
    rejected_at: float | None = None


@dataclass(frozen=True, slots=True)
class RejectedResource:
    """One resource that a proxy does not get because this `version` of it was rejected for `reason`."""

    name: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class ProxyType:
    """One type that a proxy subscribes to; a nonce is "" and a time None before the first of its kind."""

    type_url: str
    state: ProxyState
    wildcard: bool
    names: int
    """How many names are subscribed to by name."""
    behind: int
    """How many names the proxy does not hold as it shall."""
    sent_nonce: str
    sent_at: float | None
    acked_nonce: str
    acked_at: float | None
    error: str
    """Why the last response was rejected, "" when it was acknowledged."""
    rejected: tuple[RejectedResource, ...]
    """By name."""
    withheld: int = 0
    """How many removals are withheld from the proxy until somebody confirms them; they count as behind."""
    total: int = 0
    """About how many `resources` there are."""
    resources: Callable[[], Iterable[ProxyResource]] = field(default=tuple, compare=False, repr=False)
    """The resources that it holds or subscribes to at the moment of the call, the `behind` before all others."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """One open xDS stream of a proxy; `state` is the worst of its types'."""

    node_id: str
    cluster: str
    version: str
    peer: str
    protocol: str
    connected_at: float
    offered_generation: int
    acked_generation: int
    state: ProxyState
    types: tuple[ProxyType, ...]
    group: str = ""
    """The node group it is in, "" where there are none."""
