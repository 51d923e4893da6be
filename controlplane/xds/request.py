"""What a client says, freed from protobuf: one value a request.

In: nothing but what the wire carried. Out: the same, typed. Law: `error` is None exactly when the request carried no
error_detail, for that alone makes a NACK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MISSING_ID: Final = "the first request has no node.id; set node.id in Envoy's bootstrap"

# What a client says of itself is repeated to it and to the log only as far as a person reads.
_SHOWN_CHARACTERS: Final = 200
_SHOWN_GROUPS: Final = 2000


@dataclass(frozen=True, slots=True)
class Node:
    """Who a client says it is; sent with a stream's first request."""

    id: str
    cluster: str = ""
    version: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    """Text by key, of those keys of its metadata that were asked for and are there; sorted."""


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


def ungrouped(node: Node, looked_for: str) -> str:
    """What is said to a node that fits no group, when `looked_for` is what the groups look for."""
    said = {"cluster": node.cluster, **{f"metadata {key}": value for key, value in node.metadata}}
    shown = ", ".join(f"{name} {_shown(value)}" for name, value in said.items())
    groups = f" ({looked_for[:_SHOWN_GROUPS]})" if looked_for else ""
    return (
        f"node {_shown(node.id)} with {shown} fits no node group{groups}; "
        "correct node.cluster and node.metadata in its bootstrap, or let a group take such nodes"
    )


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")
