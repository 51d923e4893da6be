"""A sidecar: what it is beside, and what it does for it.

In: the section `sidecar`. Out: a frozen value. Law: what is without encryption is reached by this machine alone, unless
the settings say so in words.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import field_validator, model_validator
from pydantic.alias_generators import to_camel

from controlplane.settings.address import Address
from controlplane.settings.section import Section

# A version is a DNS label (RFC 1035) and a group a DNS name (RFC 1123), as in the name of an APIService.
_GROUP_VERSION: Final = re.compile(
    r"(?P<group>[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)/(?P<version>[a-z]([-a-z0-9]*[a-z0-9])?)"
)

_NOT_BESIDE_CLIENTS: Final = frozenset(
    ("front_door", "front_proxy", "node_groups", "authentication", "authorizers", "audit", "tracing", "verdict_cache")
)
_NOT_BESIDE_SERVERS: Final = frozenset(("front_proxy", "node_groups", "core"))
_WHY: Final = MappingProxyType(
    {
        "client": "whoever uses the endpoint is let through, as whom its credential says",
        "server": "that server gets all requests, without TLS",
    }
)


class BesideServer(Section):
    """The API server that this front door stands before, in plain HTTP, and the group-versions it is asked for."""

    upstream: Address
    """Where it listens: HOST:PORT, or unix:/path."""
    http2: bool = False
    """Whether it is spoken to in HTTP/2 with prior knowledge (h2c); upgrades need HTTP/1.1."""
    apis: tuple[str, ...]
    """GROUP/VERSION; the others that it may serve get 404."""
    allow_remote_upstream: bool = False
    """Whether `upstream` may be an address that other machines reach; they can be anybody there."""

    @field_validator("upstream", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @field_validator("apis")
    @classmethod
    def _are_group_versions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is empty, so that nothing would be served; list GROUP/VERSION")
        for each in value:
            if _GROUP_VERSION.fullmatch(each) is None:
                raise ValueError(f"{each!r} is no group-version; write GROUP/VERSION, such as example.com/v1")
        return value

    @model_validator(mode="after")
    def _is_near(self) -> BesideServer:
        if not self.upstream.loopback and not self.allow_remote_upstream:
            raise ValueError(
                f"upstream is {self.upstream}, where whoever reaches it without this sidecar can be anybody; have the "
                "server listen on a loopback address or a Unix socket, or set allowRemoteUpstream: true"
            )
        return self


class BesideClient(Section):
    """The local endpoint of a client, in plain HTTP, and who the client is at API servers: whoever uses it is that."""

    listen: Address = Address(host="127.0.0.1", port=8001)
    """A loopback address, or a Unix socket."""
    certificate_file: Path | None = None
    """PEM, with `privateKeyFile`: the client certificate that API servers are shown."""
    private_key_file: Path | None = None
    """The key of it, not encrypted."""
    token_file: Path | None = None
    """The bearer token that API servers are shown."""

    @field_validator("listen", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_guarded(self) -> BesideClient:
        if not self.listen.loopback or not self.listen.numeric:
            raise ValueError(
                f"listen is {self.listen}, and whoever reaches it acts with this sidecar's credential; write "
                "127.0.0.1:PORT, [::1]:PORT or unix:/path"
            )
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("certificateFile and privateKeyFile need one another; set both or neither")
        if self.certificate_file is None and self.token_file is None:
            raise ValueError("there is no credential; set tokenFile, or certificateFile and privateKeyFile")
        return self


class Sidecar(Section):
    """What this is beside: an API server or a client, not both."""

    server: BesideServer | None = None
    client: BesideClient | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Sidecar:
        if (self.server is None) == (self.client is None):
            raise ValueError("a sidecar is beside a server or beside a client; set exactly one of server and client")
        return self


def misplaced(sidecar: Sidecar | None, sections: AbstractSet[str]) -> str:
    """What is wrong with the sections that are set (by their names here) beside this one; "" for nothing."""
    if (sidecar is None or sidecar.client is None) and "front_door" not in sections:
        return "frontDoor is not set; say where clients connect, and set its certificateFile and privateKeyFile"
    if sidecar is None:
        return ""
    place, meaningless = ("client", _NOT_BESIDE_CLIENTS) if sidecar.client else ("server", _NOT_BESIDE_SERVERS)
    found = sorted(to_camel(name) for name in meaningless & sections)
    return f"{', '.join(found)} cannot be set beside sidecar.{place}; {_WHY[place]}; remove it" if found else ""
