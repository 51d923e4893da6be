"""The whole wanted state of one generation: which group-versions there are and which backend serves each.

Law: what did not change since the generation before is the identical object (`is`), and `touched` names all that did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from controlplane.model.apiservice import ApiService, Condition, GroupVersion, ServiceReference
from controlplane.model.credentials import Credentials
from controlplane.model.policy import Policy

PLAINTEXT: Final = "plaintext"
"""The `trust` of a backend without TLS."""


@dataclass(frozen=True, slots=True, order=True)
class BackendKey:
    """What makes a backend one and the same: the Service and port it is reached by, and the trust it is given.

    `trust` is the hex SHA-256 of the caBundle, "system" for the system's roots, "insecure" for no verification,
    "plaintext" for no TLS at all, which no APIService can ask for.
    """

    service: ServiceReference
    trust: str


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A place to connect to; `address` is an IP address, or a DNS name when the backend is `dns`.

    Or it is the absolute path of a Unix socket; then the port means nothing.
    """

    address: str
    port: int

    @property
    def unix(self) -> bool:
        """Whether it is a Unix socket."""
        return self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class Backend:
    """One server, or one set of equal servers, that group-versions are proxied to.

    `server_name` (<service>.<namespace>.svc) is the SNI, the name the certificate is checked for and the Host header.
    `dns` is True when the endpoints are names that Envoy resolves; otherwise all are IP addresses or Unix sockets.
    `http2` is True for a server without TLS that is spoken to in HTTP/2; with TLS, ALPN tells.
    """

    key: BackendKey
    server_name: str
    endpoints: tuple[Endpoint, ...]
    dns: bool
    ca_bundle: bytes = b""
    http2: bool = False

    @property
    def verified(self) -> bool:
        """False for insecureSkipTLSVerify, and without TLS."""
        return self.key.trust not in {"insecure", PLAINTEXT}

    @property
    def encrypted(self) -> bool:
        """False only for the server that a sidecar is beside."""
        return self.key.trust != PLAINTEXT


@dataclass(frozen=True, slots=True)
class Api:
    """A registered group-version, what it is proxied to (None: the core upstream serves it) and whether it can be."""

    service: ApiService
    condition: Condition
    backend: BackendKey | None = None


@dataclass(frozen=True, slots=True)
class Touched:
    """What differs from the generation before, by key; `all` True means compare everything."""

    apis: frozenset[GroupVersion] = frozenset()
    backends: frozenset[BackendKey] = frozenset()
    credentials: bool = False
    policy: bool = False
    core: bool = False
    all: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """One generation. Generations count up by one; the maps are read-only views."""

    generation: int = 0
    apis: MappingProxyType[GroupVersion, Api] = field(default_factory=lambda: MappingProxyType({}))
    backends: MappingProxyType[BackendKey, Backend] = field(default_factory=lambda: MappingProxyType({}))
    core: Backend | None = None
    """The core API server that everything unregistered goes to; None: it gets a 404 Status."""
    credentials: Credentials | None = None
    policy: Policy = field(default_factory=Policy)
    touched: Touched = field(default_factory=Touched)
