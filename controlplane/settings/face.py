"""The listening faces of a control plane.

In: the sections that say where a face listens. Out: frozen values. Law: nothing is reached by other machines without
encryption unless the settings say so in words.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from controlplane.settings.address import Address
from controlplane.settings.duration import Duration
from controlplane.settings.section import Section
from controlplane.settings.tls import ClientTls, ServerTls

_Positive = Annotated[int, Field(ge=1)]


class Face(Section):
    """One listening face of the control plane, and the address at which Envoy reaches it when that differs."""

    listen: Address
    advertise: Address | None = None
    tls: ServerTls | None = None
    """None: without encryption, which only a Unix socket, loopback or `allow_plaintext` make good."""
    allow_plaintext: bool = False

    @field_validator("listen", "advertise", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _guarded(self) -> Face:
        socket = next((address for address in (self.listen, self.reached_at) if address.path), None)
        if self.tls is not None and socket is not None:
            raise ValueError(f"tls is set, and {socket} is a Unix socket; remove tls, or write HOST:PORT")
        if self.tls is not None and self.allow_plaintext:
            raise ValueError("tls and allowPlaintext are both set; keep one")
        if self.tls is None and not self.listen.loopback and not self.allow_plaintext:
            raise ValueError(
                f"listen is {self.listen}, which other machines reach without encryption; use a Unix socket or a "
                "loopback address, or set tls, or set allowPlaintext: true where the network is private"
            )
        return self

    @property
    def reached_at(self) -> Address:
        """The address Envoy connects to."""
        return self.advertise or self.listen

    @property
    def server_name(self) -> str:
        """The DNS name or IP address that the face's certificate must hold; "" without tls."""
        if self.tls is None:
            return ""
        return self.tls.server_name or self.reached_at.host


class RemovalLimit(Section):
    """How much an Envoy may lose without anybody's confirmation; 100 percent: everything.

    Up to `percent` of its clusters or listeners, or fewer than `at_least` of them, counted over about `within`.
    """

    percent: Annotated[float, Field(ge=0, le=100)] = 50.0
    at_least: _Positive = 20
    within: Duration = timedelta(minutes=10)


class XdsFace(Face):
    """The face that Envoys get their configuration from, and how many of them it takes on how fast.

    The defaults do for 2,000 Envoys, each of which has two streams while it is replaced by a hot restart.
    """

    max_connection_age: Duration = timedelta(minutes=30)
    """After it, a connection is closed and Envoy connects anew, perhaps to another replica; zero: never."""
    max_streams: _Positive = 4000
    max_new_streams_per_second: _Positive = 1000
    removals: RemovalLimit = RemovalLimit()


class AdminFace(Face):
    """The face that `isthmus status` and `isthmus proxies` ask, and what they show there when it has `tls`."""

    client: ClientTls | None = None
