"""Where clients come in, and where that leads to when it is a sidecar.

In: settings. Out: the front door, or the local endpoint beside a client; the only server there is, beside a server.
Law: this is the only origin of a backend without TLS.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Final

from controlplane.errors import SettingsError
from controlplane.model.apiservice import GroupVersion, ServiceReference
from controlplane.model.topology import PLAINTEXT, Backend, BackendKey, Endpoint
from controlplane.settings.request_header import RequestHeader
from controlplane.settings.settings import Settings
from controlplane.settings.sidecar import BesideServer
from controlplane.settings.tracing import Tracing
from controlplane.translation.filters import Scripts
from controlplane.translation.listeners import FrontDoor
from controlplane.translation.local_door import LocalDoor
from controlplane.translation.request_headers import RequestHeaders
from controlplane.translation.tracing import Traces
from controlplane.translation.verdicts import VerdictTerms

# What the server is told that it is called, however the client called the sidecar.
_HOST: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where clients come in; `server` and `apis` are the one server behind it and what it serves, beside a server."""

    door: FrontDoor | LocalDoor
    server: Backend | None = None
    apis: tuple[GroupVersion, ...] = ()


def entrance(settings: Settings, terms: VerdictTerms | None) -> Entrance:
    """What the settings come to; `terms` are those of the verdicts that Envoy keeps.

    Raises:
        SettingsError: when there is no front door, nor anything in its place.
    """
    sidecar = settings.sidecar
    if sidecar is not None and sidecar.client is not None:
        client = sidecar.client
        door = LocalDoor(client.listen, _script("scope"), _script("local"), shows_token=client.token_file is not None)
        return Entrance(door)
    front = _front_door(settings, terms)
    if sidecar is not None and sidecar.server is not None:
        apis = tuple(GroupVersion(*api.split("/")) for api in dict.fromkeys(sidecar.server.apis))
        return Entrance(front, _server(sidecar.server), apis)
    return Entrance(front)


def _front_door(settings: Settings, terms: VerdictTerms | None) -> FrontDoor:
    door, asserted = settings.front_door, settings.authentication.request_header
    if door is None:
        raise SettingsError("frontDoor is not set; say where clients connect")
    return FrontDoor(
        address=door.address,
        port=door.port,
        scripts=Scripts(**{name: _script(name) for name in ("verdicts", "scope", "arrival", "identity")}),
        asks_for_client_certificates=door.client_ca_file is not None or asserted is not None,
        verdicts=terms,
        audited=settings.audit is not None,
        request_headers=_request_headers(asserted),
        traces=_traces(settings.tracing),
    )


def _traces(section: Tracing | None) -> Traces | None:
    if section is None or not section.sampling_rate_per_million:
        return None
    return Traces(section.endpoint, section.sampling_rate_per_million)


def _request_headers(asserted: RequestHeader | None) -> RequestHeaders | None:
    if asserted is None:
        return None
    names = (*asserted.uid_headers, *asserted.group_headers)
    script = _script("request_headers")
    return RequestHeaders(script, asserted.username_headers, names, asserted.extra_headers_prefix)


def _script(name: str) -> str:
    return resources.files("controlplane.dataplane").joinpath("lua").joinpath(f"{name}.lua").read_text()


def _server(server: BesideServer) -> Backend:
    address = server.upstream
    return Backend(
        key=BackendKey(ServiceReference("", "core", address.port), PLAINTEXT),
        server_name=_HOST,
        endpoints=(Endpoint(address.path or address.host, address.port),),
        dns=not address.numeric,
        http2=server.http2,
    )
