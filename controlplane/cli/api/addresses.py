"""Addresses of servers as people write them.

In: "unix:/path", "host:port", "http://host:port" or "https://host:port". Out: an address, and whether it is spoken to
with encryption. Law: only what this machine alone reaches is spoken to without, unless the text says http.
"""

from __future__ import annotations

from typing import Final

from controlplane.settings.address import Address

_PLAIN: Final = "http://"
_ENCRYPTED: Final = "https://"


def parsed(text: str) -> tuple[Address, bool]:
    """The address, and whether it is spoken to with TLS.

    Raises:
        ValueError: when it is none; the text says how to write one.
    """
    bare = text.removeprefix(_ENCRYPTED).removeprefix(_PLAIN)
    if bare != text:
        bare = bare.removesuffix("/")
        if bare.startswith("unix:"):
            raise ValueError(f"{text!r} is no address; write unix:/path.sock or HOST:PORT")
    address = Address.parse(bare)
    if text.startswith(_PLAIN):
        return address, False
    return address, text.startswith(_ENCRYPTED) or not address.loopback
