"""The certificates and keys the front door uses.

Law: a private key or a token is always inside a `Secret`, which no repr, log line, error or dump can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REDACTED: Final = "[redacted]"


class Secret:
    """Bytes that must not be seen: every way of printing shows "[redacted]"; `reveal()` gives the bytes."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The bytes themselves, for the one place that hands them to Envoy or to a TLS library."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, format_spec: str) -> str:
        return REDACTED

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain (PEM, leaf first) and its private key (PEM)."""

    certificate_chain: bytes
    private_key: Secret


@dataclass(frozen=True, slots=True)
class ClientAuthorities:
    """Who may have issued the certificates of users, and of front proxies before this one (PEM, empty: nobody)."""

    users: bytes = b""
    front_proxies: bytes = b""


NOBODY: Final = ClientAuthorities()


@dataclass(frozen=True, slots=True)
class Credentials:
    """All certificates of the front door.

    `serving` is shown to clients; `client_ca` (PEM, may be empty: then no user's certificate is ever believed) verifies
    theirs, and `request_header_ca` (PEM, may be empty) those of front proxies before this one; `front_proxy` is shown
    to backends (None: backends see no client certificate and treat us as anonymous); `system_roots` (PEM) verifies
    backends whose APIService has neither caBundle nor insecureSkipTLSVerify, and `core_ca` (PEM, may be empty: then
    what the settings say otherwise does) the core API server. `serving` is None only beside a client; then backends are
    shown a user's own certificate, or `bearer_token`, and are told of nobody else.
    """

    serving: KeyPair | None
    client_ca: bytes = b""
    front_proxy: KeyPair | None = None
    system_roots: bytes = b""
    request_header_ca: bytes = b""
    bearer_token: Secret | None = None
    core_ca: bytes = b""

    @property
    def client_authorities(self) -> ClientAuthorities:
        """By whose certificates clients are believed."""
        return ClientAuthorities(self.client_ca, self.request_header_ca)
