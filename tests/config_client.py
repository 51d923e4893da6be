"""A client of the config API that knows nothing of its protos: all it knows it learns by server reflection.

In: an address. Out: calls. Law: no generated code is imported here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

# Made of what the server says of itself.
Message = Any
SERVICE = "controlplane.api.v1.ConfigService"
_PATIENCE = 30


class Client:
    """Calls of the ConfigService at `target`, as long as it is entered."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)])
        grpc.channel_ready_future(self._channel).result(timeout=_PATIENCE)
        self._reflected = ProtoReflectionDescriptorDatabase(self._channel)
        self._service = descriptor_pool.DescriptorPool(self._reflected).FindServiceByName(SERVICE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    @property
    def services(self) -> list[str]:
        """The services that the server tells of."""
        return sorted(self._reflected.get_services())

    def call(self, method: str, **fields: object) -> Message:
        """Does a unary call."""
        request, stub = self._method(method, self._channel.unary_unary)
        return stub(request(**fields), timeout=60)

    def watch(self, **fields: object) -> Iterator[Any]:
        """Begins a watch."""
        request, stub = self._method("Watch", self._channel.unary_stream)
        messages: Iterator[Any] = stub(request(**fields))
        return messages

    def apply(self, body: Mapping[str, Any], **options: object) -> Message:
        """Applies an object."""
        return self.call("Apply", json=json.dumps(body), options={"field_manager": "test", **options})

    def batch(self, *bodies: Mapping[str, Any], **options: object) -> Message:
        """Applies objects together."""
        given = {"field_manager": "test", **options}
        return self.call("BatchApply", json=[json.dumps(body) for body in bodies], options=given)

    def delete(self, api_version: str, kind: str, name: str, **options: object) -> Message:
        """Removes an object."""
        reference = {"type": {"api_version": api_version, "kind": kind}, "name": name}
        return self.call("Delete", reference=reference, options=options)

    def list(self, api_version: str, kind: str) -> list[Any]:
        """All objects of a kind, page by page."""
        found, token = [], ""
        while True:
            page = self.call("List", type={"api_version": api_version, "kind": kind}, page_token=token)
            found += page.objects
            token = page.next_page_token
            if not token:
                return found

    def _method(self, name: str, kind: Message) -> tuple[Any, Any]:
        method = self._service.methods_by_name[name]
        request, response = (message_factory.GetMessageClass(each) for each in (method.input_type, method.output_type))
        stub = kind(
            f"/{SERVICE}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return request, stub
