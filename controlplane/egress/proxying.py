"""Which proxy is named: by a URL, or by HTTPS_PROXY and NO_PROXY as Go's http.ProxyFromEnvironment reads them.

In: a proxy's URL, or an environment and later URLs. Out: a proxy, none, or that the named one cannot be used. Law: what
is on this machine is asked through no proxy that only the environment names; the credentials in a URL are in no text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit

from controlplane.model.credentials import Secret

_Address: TypeAlias = IPv4Address | IPv6Address

SOCKS: Final = "socks5"
"""The scheme of a SOCKS proxy; it is told the names of servers, and not their addresses."""
AUTHORIZATION: Final = "Proxy-Authorization"
"""The header with a proxy's credentials."""

_HTTPS_PORT: Final = 443
_SCHEMES: Final = {"http": "http", "https": "https", "socks5": SOCKS, "socks5h": SOCKS}
# RFC 1929 gives either one byte for its length, and says nothing of characters.
_SOCKS_WORD: Final = re.compile(rb"[\x20-\x7e]{1,255}")
_NO_PROXY: Final = (
    "names a proxy that is none of http, https and socks5; write http://HOST:PORT, https://HOST:PORT or "
    "socks5://HOST:PORT"
)
_NO_CREDENTIALS: Final = (
    "names a SOCKS proxy with credentials that it cannot be shown; write NAME:PASSWORD of 1 to 255 ASCII characters "
    "each, with no colon in the name"
)
_CIDR: Final = re.compile(r"[0-9a-f:.]+/[0-9]+")
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\]:([^:]*)")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy over HTTP, HTTPS or SOCKS5; `authorization` is a value of Proxy-Authorization (Basic), None for none.

    `url` has the scheme http, https or socks5, and no credentials.
    """

    url: str
    authorization: Secret | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy is shown."""
        return {} if self.authorization is None else {AUTHORIZATION: self.authorization.reveal().decode()}


@dataclass(frozen=True, slots=True)
class NoWay:
    """Why the proxy that is named for a URL cannot be used."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Exempt:
    """An entry of NO_PROXY; a `domain` begins with a dot and stands for what is below it, with `itself` for it too."""

    network: IPv4Network | IPv6Network | None = None
    address: _Address | None = None
    domain: str = ""
    itself: bool = False
    port: str = ""

    def covers(self, host: str, port: int, address: _Address | None) -> bool:
        """Whether what listens there is asked without a proxy; `address` is `host` where that is an address."""
        if self.port not in ("", str(port)):
            return False
        if address is not None:
            return address == self.address or (self.network is not None and address in self.network)
        return bool(self.domain) and (host.endswith(self.domain) or (self.itself and host == self.domain[1:]))


@dataclass(frozen=True, slots=True)
class Proxies:
    """What an environment says of proxies for https; nothing: none is used."""

    proxy: Proxy | NoWay | None = None
    exempt: tuple[_Exempt, ...] = ()
    nowhere: bool = False
    """NO_PROXY says that none is used at all."""

    def of(self, url: str) -> Proxy | NoWay | None:
        """The proxy for an https URL; None: none is used, as for a URL that names no host.

        Where a URL cannot be read, nobody can tell whether it is exempt.
        """
        if self.proxy is None or self.nowhere:
            return None
        try:
            host = _ascii(unquote(urlsplit(url).hostname or "").lower())
            port = urlsplit(url).port or _HTTPS_PORT
        except ValueError:
            return NoWay("the URL has no address or port that can be read, so which proxy it is for is not known")
        address = _address(host)
        if host in ("", "localhost") or (address is not None and address.is_loopback):
            return None
        return None if any(each.covers(host, port, address) for each in self.exempt) else self.proxy


DIRECT: Final = Proxies()
"""No proxy is used for anything."""


def proxies(environment: Mapping[str, str]) -> Proxies:
    """What HTTPS_PROXY and NO_PROXY say; of either, the lower-case name counts before the upper-case one."""
    listed = [each.strip().lower() for each in _value(environment, "no_proxy").split(",")]
    return Proxies(_proxy(_value(environment, "https_proxy")), tuple(_exempt(listed)), "*" in listed)


def named(url: str) -> Proxy | str:
    """The proxy at a URL; a text: what is wrong with it, as the predicate of whatever holds it, and without it."""
    parts = _parts(url)
    try:
        host, port = ("", None) if parts is None else (parts.hostname or "", parts.port)
    except ValueError:
        host, port = "", None
    if parts is None or not host or parts.scheme not in _SCHEMES:
        return _NO_PROXY
    scheme, place = _SCHEMES[parts.scheme], f"[{host}]" if ":" in host else host
    address = f"{scheme}://{place}" if port is None else f"{scheme}://{place}:{port}"
    if parts.username is None:
        return Proxy(address)
    written = [(part or "").encode(errors="surrogateescape") for part in (parts.username, parts.password)]
    name, password = map(unquote_to_bytes, written)
    if scheme == SOCKS and not (_SOCKS_WORD.fullmatch(name) and _SOCKS_WORD.fullmatch(password) and b":" not in name):
        return _NO_CREDENTIALS
    return Proxy(address, Secret(b"Basic " + base64.b64encode(name + b":" + password)))


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper(), "")


def _proxy(text: str) -> Proxy | NoWay | None:
    if not text:
        return None
    found = named(text if _parts(text) else f"http://{text}")
    return NoWay(f"the environment {found}") if isinstance(found, str) else found


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        return parts if parts.scheme and parts.hostname else None
    except ValueError:
        return None


def _exempt(listed: list[str]) -> Iterator[_Exempt]:
    for entry in listed:
        if _CIDR.fullmatch(entry):
            try:
                yield _Exempt(network=ip_network(entry, strict=False))
                continue
            except ValueError:
                pass
        host, port = _host_and_port(entry)
        address = _address(host)
        if address is not None:
            yield _Exempt(address=address, port=port)
        elif host:
            domain = host.removeprefix("*") if host.startswith("*.") else host
            itself = not domain.startswith(".")
            yield _Exempt(domain=f".{_ascii(domain.removeprefix('.'))}", itself=itself, port=port)


def _host_and_port(entry: str) -> tuple[str, str]:
    if bracketed := _BRACKETED.fullmatch(entry):
        return bracketed[1], bracketed[2]
    host, colon, port = entry.partition(":")
    # More than one colon: an IPv6 address.
    return (entry, "") if not colon or ":" in port else (host, port)


def _address(host: str) -> _Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host
