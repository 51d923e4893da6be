"""Whether a TCP port can be had.

In: an IP address and a port. Out: a free port, or the sentence that says why it is not. Law: nothing is left listening.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from controlplane.errors import StartError


def require(address: str, port: int, *, settings: Path | None = None) -> None:
    """Returns when `address` (an IP address) and `port` can be listened on.

    Raises:
        StartError: when they cannot, with the option that helps, or the setting where a file of `settings` has them.
    """
    by = {name: f"--{name}" if settings is None else f"frontDoor.{name} in {settings}" for name in ("address", "port")}
    shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        _listen(address, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"{shown} is taken; choose another with {by['port']}") from error
        if error.errno == errno.EACCES:
            raise StartError(
                f"{shown} needs rights this user has not; choose one above 1023 with {by['port']}"
            ) from error
        reason = error.strerror or type(error).__name__
        raise StartError(f"{shown} cannot be listened on ({reason}); choose another with {by['address']}") from error


def free(address: str) -> int:
    """A port of `address` that nobody listens on now."""
    return _listen(address, 0)


def is_free(address: str, port: int) -> bool:
    """Whether `port` can be listened on now."""
    try:
        _listen(address, port)
    except OSError:
        return False
    return True


def _listen(address: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not keep Envoy from listening, nor this probe.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
        probe.listen(1)
        chosen = probe.getsockname()[1]
        assert isinstance(chosen, int)  # noqa: S101 -- narrows the tuple of Any
        return chosen
