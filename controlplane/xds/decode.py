"""Protobuf requests made into our own.

In: discovery requests. Out: `DeltaRequest` and `SotwRequest`. Law: presence of error_detail is kept, whatever
it says; of the node's metadata only what is asked for is looked at, whatever there is of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

from envoy.config.core.v3.base_pb2 import Node as NodeMessage
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from google.protobuf.struct_pb2 import Struct

from controlplane.xds.request import DeltaRequest, Node, SotwRequest

# What Envoy says about a rejection can be a page long; a log line and a status need not.
_REASON_CHARACTERS: Final = 2000

_Message = TypeVar("_Message")


async def decoded(
    messages: AsyncIterator[bytes],
    parse: Callable[[bytes], _Message],
    decode: Callable[[_Message, Collection[str]], DeltaRequest | SotwRequest],
    metadata: Collection[str],
) -> AsyncIterator[DeltaRequest | SotwRequest]:
    """The requests of one stream, the first with these keys of its node's metadata.

    Raises:
        DecodeError: when one cannot be parsed.
    """
    async for message in messages:
        yield decode(parse(message), metadata)
        # A stream's node is that of its first request.
        metadata = ()


def delta_request(message: DeltaDiscoveryRequest, metadata: Collection[str] = ()) -> DeltaRequest:
    """The same request as a value, with these keys of the node's metadata."""
    return DeltaRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        error=_error(message),
        node=_node(message.node, metadata) if message.HasField("node") else None,
    )


def sotw_request(message: DiscoveryRequest, metadata: Collection[str] = ()) -> SotwRequest:
    """The same request as a value, with these keys of the node's metadata."""
    return SotwRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        names=tuple(message.resource_names),
        version=message.version_info,
        error=_error(message),
        node=_node(message.node, metadata) if message.HasField("node") else None,
    )


def _error(message: DeltaDiscoveryRequest | DiscoveryRequest) -> str | None:
    if not message.HasField("error_detail"):
        return None
    return str(message.error_detail.message)[:_REASON_CHARACTERS]


def _node(message: NodeMessage, metadata: Collection[str]) -> Node:
    version = message.user_agent_version
    if message.HasField("user_agent_build_version"):
        number = message.user_agent_build_version.version
        version = f"{number.major_number}.{number.minor_number}.{number.patch}"
    found = tuple(_texts(message.metadata, metadata)) if metadata else ()
    return Node(id=message.id, cluster=message.cluster, version=version, metadata=found)


def _texts(metadata: Struct, keys: Collection[str]) -> Iterator[tuple[str, str]]:
    for key in sorted(keys):
        text = _text(metadata, (key,))
        # A key with dots is first of all a key; only where it is not there does it lead through nested ones.
        text = _text(metadata, key.split(".")) if text is None else text
        if text is not None:
            yield key, text


def _text(metadata: Struct, path: Sequence[str]) -> str | None:
    *parents, name = path
    for parent in parents:
        # Reading a missing key would make it.
        if parent not in metadata.fields or not metadata.fields[parent].HasField("struct_value"):
            return None
        metadata = metadata.fields[parent].struct_value
    if name not in metadata.fields or not metadata.fields[name].HasField("string_value"):
        return None
    return str(metadata.fields[name].string_value)
