"""Addresses as k8s.io/apimachinery's SourceIPs gives them."""

from __future__ import annotations

import pytest

from controlplane.audit.sources import source_ips


@pytest.mark.parametrize(
    ("forwarded", "real", "peer", "expected"),
    [
        ("", "", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1, junk,192.0.2.2", "", "10.0.0.1", ("192.0.2.1", "192.0.2.2", "10.0.0.1")),
        ("192.0.2.1", "192.0.2.1", "10.0.0.1", ("192.0.2.1", "10.0.0.1")),
        ("192.0.2.1", "192.0.2.9", "10.0.0.1", ("192.0.2.1", "192.0.2.9", "10.0.0.1")),
        ("10.0.0.1", "", "10.0.0.1", ("10.0.0.1",)),
        ("10.0.0.1, 192.0.2.1", "", "10.0.0.1", ("10.0.0.1", "192.0.2.1", "10.0.0.1")),
        ("2001:DB8:0::1, ::ffff:192.0.2.7", "", "", ("2001:db8::1", "192.0.2.7")),
        ("010.001.0.00, fe80::1%eth0", "nonsense", "", ("10.1.0.0",)),
    ],
)
def test_the_chain_ends_with_the_connection(forwarded: str, real: str, peer: str, expected: tuple[str, ...]) -> None:
    """Forwarded addresses, the real one unless it is among them, the peer unless it is the last."""
    assert source_ips(forwarded, real, peer) == expected


def test_a_chain_without_end_is_read_from_its_end() -> None:
    """A client may send 60 KiB of addresses, which would hold up everybody else; the nearest ones count."""
    forwarded = ",".join(f"10.0.{number // 250}.{number % 250}" for number in range(5000))

    chain = source_ips(forwarded, "1" * 5000, "192.0.2.1")

    assert ("10.0.19.248", "10.0.19.249", "192.0.2.1") == chain[-3:]
    assert 80 < len(chain) < 100
    assert chain[0] in forwarded.split(",")
