"""How far one proxy is, as people and monitoring are told.

In: what the xDS faces know. Out: values for tables, gRPC and JSON. Law: times are seconds on the clock of the xDS
faces, not of the day, so two values are equal exactly when nothing has happened in between.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class ProxyState(enum.Enum):
    """Whether what a proxy holds is what it shall hold."""

    SYNCED = "SYNCED"
    """Everything that was offered is acknowledged."""
    STALE = "STALE"
    """Something that is offered is not acknowledged yet."""
    REJECTED = "REJECTED"
    """Something that it shall hold was rejected, and is not sent again until it changes."""


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
