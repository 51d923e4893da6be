"""Addresses of servers as people write them."""

from __future__ import annotations

import pytest

from controlplane.cli.api.addresses import parsed


@pytest.mark.parametrize(
    ("text", "address", "encrypted"),
    [
        ("unix:/run/a.sock", "unix:/run/a.sock", False),
        ("127.0.0.1:80", "127.0.0.1:80", False),
        ("[::1]:80", "[::1]:80", False),
        ("localhost:80", "localhost:80", False),
        ("10.0.0.1:80", "10.0.0.1:80", True),
        ("example.com:443", "example.com:443", True),
        ("https://localhost:80/", "localhost:80", True),
        ("http://example.com:80", "example.com:80", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_encryption(text: str, address: str, encrypted: bool) -> None:
    """Unless the text says http, or https."""
    found, tls = parsed(text)

    assert (address, encrypted) == (str(found), tls)


@pytest.mark.parametrize("text", ["", "a", "unix:a", "https://unix:/a", "https://a", "a:b", "ftp://a:1x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(ValueError, match="write unix:/"):
        parsed(text)
