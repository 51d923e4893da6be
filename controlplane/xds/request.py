"""What a client says, freed from protobuf: one value a request.

In: nothing but what the wire carried. Out: the same, typed. Law: `error` is None exactly when the request carried no
error_detail, for that alone makes a NACK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Node:
    """Who a client says it is; sent with a stream's first request."""

    id: str
    cluster: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class DeltaRequest:
    """One DeltaDiscoveryRequest."""

    type_url: str
    nonce: str = ""
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class SotwRequest:
    """One DiscoveryRequest of the state-of-the-world protocol; `names` is the whole subscription."""

    type_url: str
    nonce: str = ""
    names: tuple[str, ...] = ()
    version: str = ""
    error: str | None = None
    node: Node | None = None
