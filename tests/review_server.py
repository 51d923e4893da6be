"""A server of reviews for tests, over real TLS, that answers what it is told to and fails how it is told to.

In: replies, one a request, the last for all that follow. Out: the requests as they arrived. Law: it waits for nothing
but the test's word.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from pki import CertificateAuthority

NAME = "reviews.example.org"


@dataclass(frozen=True)
class Reply:
    """What one request gets; `fault` is "reset" (the connection is reset), "close" or "hang" (until the end)."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def reply(status: object, code: int = 200) -> Reply:
    """A review whose status it is."""
    return Reply(code, json.dumps({"status": status}).encode())


class ReviewServer:
    """`async with ReviewServer(folder, reply)` serves at `url` until left; clients show a certificate or none."""

    def __init__(self, folder: Path, *replies: Reply) -> None:
        self.authority = CertificateAuthority("reviews")
        self.clients = CertificateAuthority("review clients")
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.peers: set[tuple[str, int]] = set()
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self._replies = list(replies)
        certificate, key = self.authority.issue("reviews", dns_names=[NAME], client=False)
        (folder / "reviews.pem").write_bytes(certificate + key)
        (folder / "clients.crt").write_bytes(self.clients.certificate)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "clients.crt"))
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.load_cert_chain(folder / "reviews.pem")
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"https://127.0.0.1:{self.port}/review?of=tests"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.requests.append(request)
        self.peers.add(request.transport.get_extra_info("peername"))
        self.bodies.append(await request.json() if request.can_read_body else None)
        self.arrived.set()
        wanted = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if wanted.fault == "hang":
            await self.release.wait()
        if wanted.fault == "reset":
            made = request.transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        if wanted.fault == "close":
            request.transport.close()
        return web.Response(status=wanted.status, body=wanted.body, headers=wanted.headers)
