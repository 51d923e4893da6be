"""Who is served.

In: connections. Out: why a client is not served, "" when it is. Law: with encryption, it is served only when it was
verified, speaks HTTP/2 and has an allowed name; what strangers do again and again is told once a minute.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Final

import structlog

from controlplane.faces.allowed import is_allowed, presented, refusal
from controlplane.faces.seldom import Seldom

ALPN: Final = "h2"
"""What the handshake must agree on."""

# A client that vanished without closing is found after a minute: seconds of silence, seconds between probes, probes.
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))

# Sizes are a client's own: of a thousand of them the same is wrong.
_SIZES: Final = re.compile(r"\d+")

_log = structlog.stdlib.get_logger(__name__)


class Door:
    """`allowed` are the names that are let in, None where there is no encryption; `clock` is a steady one."""

    def __init__(self, section: str, allowed: tuple[str, ...] | None, *, clock: Callable[[], float]) -> None:
        self._section = section
        self._allowed = allowed
        self._seldom = Seldom(clock)

    def refused(self, transport: asyncio.Transport) -> str:
        """Why calls of a client that has just connected are refused, "" when they are not."""
        connected = transport.get_extra_info("socket")
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._allowed is None:
            return ""
        session = transport.get_extra_info("ssl_object")
        if session is None or session.selected_alpn_protocol() != ALPN:
            # What follows would be no HTTP/2: nothing of it is read.
            transport.abort()
            return f"the handshake did not agree on {ALPN}"
        shown = presented(transport.get_extra_info("peercert"))
        if is_allowed(shown, self._allowed):
            return ""
        reason = refusal(self._section, shown)
        if self._seldom.again(shown):
            peer = transport.get_extra_info("peername")
            _log.warning("client refused", face=self._section, peer=peer, reason=reason)
        return reason

    def closed(self, reason: str) -> None:
        """A client's connection is closed for what it sent."""
        if self._seldom.again(_SIZES.sub("", reason)):
            _log.warning("a client's connection is closed for what it sent", face=self._section, reason=reason)
