"""Where a request came from.

In: X-Forwarded-For and X-Real-Ip as the client sent them, and the address of its connection. Out: addresses, the last
one that nobody can forge. Law: the order and the doubles of k8s.io/apimachinery's SourceIPs; whatever a client sends,
it takes no longer than reading a thousand characters.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

_LONGEST: Final = 1024


def source_ips(forwarded_for: str, real_ip: str, peer: str) -> tuple[str, ...]:
    """The chain of addresses; what is no address is left out, and all but the end of a chain without end."""
    if len(forwarded_for) > _LONGEST:
        # The end is what the proxies nearest to us wrote; what was before it is cut within an address.
        forwarded_for = forwarded_for[-_LONGEST:].partition(",")[2]
    chain = [address for part in forwarded_for.split(",") if (address := _address(part.strip()))]
    real = _address(real_ip)
    if real and real not in chain:
        chain.append(real)
    last = _address(peer)
    if last and chain[-1:] != [last]:
        chain.append(last)
    return tuple(chain)


def _address(text: str) -> str:
    """The address as Go prints it, "" for what is none; leading zeros are decimal, and zones are no part of it."""
    if not text or len(text) > _LONGEST or "%" in text:
        return ""
    if "." in text and ":" not in text:
        text = ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in text.split("."))
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
