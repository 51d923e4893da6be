"""The Services and EndpointSlices behind an object.

In: an object, and a client. Out: the addresses that serve it, or why none is shown. Law: what may not be read, or is
not there, is said and stops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from controlplane.api.v1 import config_pb2
from controlplane.cli.api.kinds import type_of
from controlplane.cli.api.layout import NONE
from controlplane.configapi.client import ApiError, ConfigClient
from controlplane.resources.kinds import KINDS
from controlplane.resources.values import JsonObject, at

_SERVICE, _SLICE = KINDS["Service"], KINDS["EndpointSlice"]
_OF_SERVICE: Final = "kubernetes.io/service-name"
_HTTPS: Final = 443
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Backing:
    """A Service with its EndpointSlices; no Service when there is none, or `refused` says why it cannot be seen."""

    service: JsonObject | None = None
    slices: tuple[JsonObject, ...] = ()
    refused: str = ""

    def of_port(self, name: str) -> str:
        """The addresses that are ready on the port of this name."""
        if self.refused:
            return f"<not shown: {self.refused}>"
        found = sorted(
            _joined(endpoint["addresses"][0], port["port"])
            for one in self.slices
            for port in one.get("ports") or ()
            if (port.get("name") or "") == name and port.get("port") is not None
            for endpoint in one.get("endpoints") or ()
            if endpoint.get("addresses") and at(endpoint, "conditions", "ready") is not False
        )
        return _listed(list(dict.fromkeys(found)))


class Backings:
    """What is behind objects, asked for once each."""

    def __init__(self, client: ConfigClient) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Backing] = {}

    def of(self, item: config_pb2.Object) -> Backing:
        """What serves an object; nothing for kinds that nothing serves.

        Raises:
            ApiError: when the server does not answer.
        """
        match item.reference.type.kind:
            case "Service":
                place = (item.reference.namespace, item.reference.name)
            case "APIService":
                reference = at(orjson.loads(item.json), "spec", "service") or {}
                place = (reference.get("namespace") or "", reference.get("name") or "")
            case _:
                return Backing()
        if not all(place):
            return Backing()
        if place not in self._known:
            self._known[place] = self._asked(*place)
        return self._known[place]

    def _asked(self, namespace: str, name: str) -> Backing:
        reference = config_pb2.Reference(type=type_of(_SERVICE), namespace=namespace, name=name)
        slices = config_pb2.ListRequest(
            type=type_of(_SLICE), namespace=namespace, label_selector=f"{_OF_SERVICE}={name}"
        )
        try:
            service = self._client.get(reference)
            found = [orjson.loads(item.json) for page in self._client.pages(slices) for item in page.objects]
        except ApiError as error:
            match error.code:
                case "NOT_FOUND":
                    return Backing()
                case "PERMISSION_DENIED":
                    return Backing(refused=error.message)
            raise
        return Backing(orjson.loads(service.json), tuple(found))


def registered(api_service: JsonObject) -> str:
    """The Service that an APIService names, with its port; Local when it names none."""
    reference = at(api_service, "spec", "service")
    if reference is None:
        return "Local, that is the core API server"
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}:{_port(reference)}"


def endpoints(api_service: JsonObject, backing: Backing) -> str:
    """Where requests for an APIService go, as far as its Service says so."""
    reference = at(api_service, "spec", "service") or {}
    number = _port(reference)
    if backing.refused:
        return f"<not shown: {backing.refused}>"
    if backing.service is None:
        return "<by its DNS name, or a manifest's: no such Service is kept here>"
    if name := at(backing.service, "spec", "externalName"):
        return _joined(name, number)
    ports = at(backing.service, "spec", "ports") or ()
    named = next((port.get("name") or "" for port in ports if port.get("port") == number), None)
    if named is None:
        return f"{NONE} (the Service has no port {number})"
    return backing.of_port(named)


def _port(reference: JsonObject) -> int:
    port: int = reference.get("port") or _HTTPS
    return port


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listed(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return (",".join(found[:_SHOWN]) or NONE) + (f" and {more} more" if more > 0 else "")
