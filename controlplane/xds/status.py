"""How far each proxy is: what it asked for, was sent, acknowledged and rejected.

In: facts from streams. Out: frozen values for whoever prints them. Law: times are on the clock that the stream was
given, and nothing here is the body of a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controlplane.model.proxy import ProxyResource, RejectedResource
from controlplane.xds.event import Rejected
from controlplane.xds.request import Node


@dataclass(frozen=True, slots=True)
class TypeStatus:
    """One type on one stream; a nonce is "" and a time None before the first of its kind."""

    type_url: str
    wildcard: bool
    names: int
    """How many names are subscribed to by name."""
    behind: int
    """How many names the client does not hold as the snapshot says."""
    sent_nonce: str
    sent_at: float | None
    acked_nonce: str
    acked_at: float | None
    error: str
    """The reason of the last NACK, "" when the last response was acknowledged."""
    rejected: tuple[RejectedResource, ...]
    """What it subscribes to and does not get because of a rejection, by itself or another of its group; by name."""
    withheld: int = 0
    """How many removals are withheld until somebody confirms them."""
    total: int = 0
    """About how many `resources` there are."""
    resources: Callable[[], Iterable[ProxyResource]] = field(default=tuple, compare=False, repr=False)
    """What it holds or subscribes to at the moment of the call, what is out of step before all else."""


@dataclass(frozen=True, slots=True)
class ProxyStatus:
    """One stream; `node` is None until the first request."""

    peer: str
    protocol: str
    node: Node | None
    connected_at: float
    offered_generation: int
    acked_generation: int
    """The latest generation that was acknowledged as a whole (what was rejected apart); 0 before the first."""
    types: tuple[TypeStatus, ...]
    group: str = ""
    """The node group; generations are counted in each by itself."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """A type of which removals are withheld from one client: `names` of the `held`."""

    node_id: str
    group: str
    type_url: str
    names: int
    held: int


class Progress:
    """The running record of one type on one stream."""

    __slots__ = ("acked_at", "acked_nonce", "error", "rejected", "sent_at", "sent_nonce")

    def __init__(self) -> None:
        self.sent_nonce = ""
        self.sent_at: float | None = None
        self.acked_nonce = ""
        self.acked_at: float | None = None
        self.error = ""
        self.rejected: dict[str, tuple[Rejected, float]] = {}
        """By name, and when."""

    def sent(self, nonce: str, now: float) -> None:
        """Records a response."""
        self.sent_nonce, self.sent_at = nonce, now

    def acked(self, nonce: str, now: float) -> None:
        """Records its acknowledgement."""
        self.acked_nonce, self.acked_at, self.error = nonce, now, ""
