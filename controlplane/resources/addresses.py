"""IP addresses and ranges, as the fields of Services and EndpointSlices take them.

In: a text and the path of its field. Out: every rule it breaks. Law: rules and sentences of k8s.io/apimachinery.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from controlplane.resources import formats
from controlplane.resources.cause import Cause, invalid, required

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_OCTETS: Final = re.compile(r"\d+(\.\d+){3}", re.ASCII)
_IP: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_CIDR: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def parse(text: str) -> Address | None:
    """The address in a text, leading zeros passed over; None when it is none (a zone makes it none)."""
    if _OCTETS.fullmatch(text):
        text = ".".join(str(int(octet)) for octet in text.split("."))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else _unmapped(address)


def legacy(path: str, text: str) -> Iterator[Cause]:
    """A field that takes any spelling of an address, but those that programs disagree on."""
    address = parse(text)
    if address is None:
        yield invalid(path, text, _IP)
    elif _OCTETS.fullmatch(text) and str(address) != text:
        yield invalid(path, text, "must not have leading 0s")
    elif isinstance(address, ipaddress.IPv4Address) and ":" in text:
        yield invalid(path, text, "must not be an IPv4-mapped IPv6 address")


def strict(path: str, text: str) -> Iterator[Cause]:
    """A field that takes an address in its canonical form only."""
    wrong = tuple(legacy(path, text))
    yield from wrong
    if not wrong and str(parse(text)) != text:
        yield invalid(path, text, f'must be in canonical form ("{parse(text)}")')


def endpoint(path: str, text: str, *, loopback: bool) -> Iterator[Cause]:
    """An address that requests can be sent to; `loopback` says whether those of this machine may be."""
    address = parse(text)
    if address is None:
        return
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback and not loopback:
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if _link_local_multicast(address):
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def network(path: str, text: str) -> Iterator[Cause]:
    """A range of addresses in CIDR form."""
    address, slash, length = text.partition("/")
    parsed = parse(address)
    limit = 0 if parsed is None else 128 if ":" in address else 32
    if not slash or parsed is None or not (length.isascii() and length.isdigit()) or int(length) > limit:
        yield invalid(path, text, _CIDR)
    elif str(int(length)) != length or (_OCTETS.fullmatch(address) and str(parsed) != address):
        yield invalid(path, text, "must not have leading 0s in IP or prefix length")
    elif isinstance(parsed, ipaddress.IPv4Address) and ":" in address:
        yield invalid(path, text, "must not have an IPv4-mapped IPv6 address")
    elif ipaddress.ip_network(text, strict=False).network_address != parsed:
        yield invalid(path, text, "must not have bits set beyond the prefix length")


def domain(path: str, text: str) -> Iterator[Cause]:
    """A fully qualified domain name, with or without its last dot."""
    if not text:
        yield required(path)
        return
    name = text.removesuffix(".")
    if defects := formats.dns1123_subdomain(name):
        yield invalid(path, name, ",".join(defects))
    elif "." not in name:
        yield invalid(path, name, "should be a domain with at least two segments separated by dots")
    else:
        for label in name.split("."):
            if defects := formats.dns1123_label(label):
                yield invalid(path, label, ",".join(defects))
                return


def _unmapped(address: Address) -> Address:
    """Go takes an IPv4 address in IPv6 clothes for the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _link_local_multicast(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02
