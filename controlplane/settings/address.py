"""Where something listens, or is reached.

In: text. Out: an `Address`. Law: an address that exists can be listened on or connected to as far as its form goes.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from controlplane.settings.section import Section

# sockaddr_un.sun_path is 108 bytes with its closing NUL on Linux.
_UNIX_PATH_LIMIT: Final = 107


def _is_ip(value: str) -> str:
    ipaddress.ip_address(value)
    return value


Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port."""
IpAddress = Annotated[str, AfterValidator(_is_ip)]
"""An IPv4 or IPv6 address."""


class Address(Section):
    """Where something listens or is reached: a Unix socket (`path` set) or a TCP host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads "unix:/path" or "host:port" ("[::1]:443" for IPv6).

        Raises:
            ValueError: when it is neither, or the path is too long for a Unix socket.
        """
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path.startswith("/"):
                raise ValueError(f"{text!r} is not an absolute path; write unix:/absolute/path.sock")
            if len(path.encode()) > _UNIX_PATH_LIMIT:
                raise ValueError(
                    f"{text!r} is longer than a Unix socket's path can be (107 bytes); choose a shorter folder"
                )
            return cls(path=path)
        host, separator, port = text.rpartition(":")
        if not separator or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} is no address; write unix:/path.sock or HOST:PORT")
        return cls(host=host.removeprefix("[").removesuffix("]"), port=int(port))

    def next(self, number: int) -> Address:
        """The address of the `number`-th neighbour: a socket with .NUMBER after its name, or so many ports further.

        Raises:
            ValueError: when the name is too long for a Unix socket, or there is no such port.
        """
        return Address.parse(
            str(
                self.model_copy(update={"path": f"{self.path}.{number}"} if self.path else {"port": self.port + number})
            )
        )

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def numeric(self) -> bool:
        """True when no name must be resolved to reach it: a Unix socket or an IP address."""
        try:
            return bool(self.path) or ipaddress.ip_address(self.host) is not None
        except ValueError:
            return False

    @property
    def loopback(self) -> bool:
        """True for a Unix socket or a TCP address that only this machine reaches."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
