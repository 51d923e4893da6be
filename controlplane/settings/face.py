"""The listening faces of a control plane.

In: the sections that say where a face listens. Out: frozen values. Law: nothing is reached by other machines without
encryption unless the settings say so in words.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from controlplane.settings.address import Address
from controlplane.settings.duration import Duration
from controlplane.settings.section import Section
from controlplane.settings.tls import ClientTls, ServerTls

_Positive = Annotated[int, Field(ge=1)]

# More than anybody has processors for; each is a socket, or a port.
_MOST_WORKERS: Final = 256


class Face(Section):
    """One listening face of the control plane, and the address at which Envoy reaches it when that differs."""

    listen: Address
    """Where the control plane listens."""
    advertise: Address | None = None
    """Where Envoy connects to, when that is another address (containers); not set: where it listens."""
    tls: ServerTls | None = None
    """Not set: without encryption, which only a Unix socket, loopback or `allowPlaintext` make good."""
    allow_plaintext: bool = False
    """Whether other machines may be let in without encryption, because the network is private."""

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

    percent: Annotated[float, Field(ge=0, le=100, strict=True)] = 50.0
    """The most of its clusters or listeners that may go unasked."""
    at_least: _Positive = 20
    """Fewer than so many may always go."""
    within: Duration = timedelta(minutes=10)
    """Over which time small steps are added up."""


class XdsFace(Face):
    """The face that Envoys get their configuration from, and how many of them it takes on how fast.

    The defaults do for 2,000 Envoys, each of which has two streams while it is replaced by a hot restart.
    """

    max_connection_age: Duration = timedelta(minutes=30)
    """After it, a connection is closed and Envoy connects anew, perhaps to another replica; zero: never."""
    max_streams: _Positive = 4000
    """Streams open at once; one more is refused."""
    max_new_streams_per_second: _Positive = 1000
    """Streams taken on in a second, and as many at once after a quiet one."""
    removals: RemovalLimit = RemovalLimit()


class AuthorizationFace(Face):
    """The face that Envoy asks about requests, or so many of them in processes of their own."""

    workers: Annotated[int, Field(ge=0, le=_MOST_WORKERS, strict=True)] = 0
    """How many processes decide about requests; 0: the control plane does."""

    @model_validator(mode="after")
    def _workers_fit(self) -> AuthorizationFace:
        for number in range(1, self.workers + 1):
            self.worker(number)
        return self

    def worker(self, number: int) -> Face:
        """The face of one worker, numbered from 1: a socket called .NUMBER besides, or so many ports further.

        Raises:
            ValueError: when there is no such address.
        """
        advertise = None if self.advertise is None else self.advertise.next(number)
        return Face(
            listen=self.listen.next(number), advertise=advertise, tls=self.tls, allow_plaintext=self.allow_plaintext
        )

    @property
    def worker_faces(self) -> tuple[Face, ...]:
        """The faces of all workers."""
        return tuple(self.worker(number) for number in range(1, self.workers + 1))


class AdminFace(Face):
    """The face that `isthmus status`, `proxies` and `explain` ask, and what they show there when it has `tls`."""

    client: ClientTls | None = None
