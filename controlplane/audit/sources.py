"""Where a request came from.

In: X-Forwarded-For and X-Real-Ip as the client sent them, and the address of its connection. Out: addresses, the last
one that nobody can forge. Law: the order and the doubles of k8s.io/apimachinery's SourceIPs.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def source_ips(forwarded_for: str, real_ip: str, peer: str) -> tuple[str, ...]:
    """The chain of addresses; what is no address is left out."""
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
    if not text or "%" in text:
        return ""
    if "." in text and ":" not in text:
        text = ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in text.split("."))
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
