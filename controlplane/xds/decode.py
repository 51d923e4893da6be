"""Protobuf requests made into our own.

In: parsed discovery requests. Out: `DeltaRequest` and `SotwRequest`. Law: presence of error_detail is kept, whatever
it says.
"""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3.base_pb2 import Node as NodeMessage
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from controlplane.xds.request import DeltaRequest, Node, SotwRequest

# What Envoy says about a rejection can be a page long; a log line and a status need not.
_REASON_CHARACTERS: Final = 2000


def delta_request(message: DeltaDiscoveryRequest) -> DeltaRequest:
    """The same request as a value."""
    return DeltaRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        error=_error(message),
        node=_node(message.node) if message.HasField("node") else None,
    )


def sotw_request(message: DiscoveryRequest) -> SotwRequest:
    """The same request as a value."""
    return SotwRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        names=tuple(message.resource_names),
        version=message.version_info,
        error=_error(message),
        node=_node(message.node) if message.HasField("node") else None,
    )


def _error(message: DeltaDiscoveryRequest | DiscoveryRequest) -> str | None:
    if not message.HasField("error_detail"):
        return None
    return str(message.error_detail.message)[:_REASON_CHARACTERS]


def _node(message: NodeMessage) -> Node:
    version = message.user_agent_version
    if message.HasField("user_agent_build_version"):
        number = message.user_agent_build_version.version
        version = f"{number.major_number}.{number.minor_number}.{number.patch}"
    return Node(id=message.id, cluster=message.cluster, version=version)
