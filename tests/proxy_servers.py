"""Proxies for tests: over HTTP with CONNECT, and SOCKS5.

In: what clients ask for. Out: connections to the same ports of 127.0.0.1. Law: they know every name as this machine,
and keep who asked for what, with which credentials.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from ipaddress import ip_address

PASSWORD = "s3cr3t"
BASIC = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"


class Proxy(ABC):
    """A proxy of one kind; `asked` is what it was asked for (HOST:PORT), and the credentials it was shown."""

    scheme = ""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.port = 0
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is, with a password."""
        return f"{self.scheme}://me:{PASSWORD}@127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that names it."""
        return {"HTTPS_PROXY": self.url}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """While it can be reached."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with closing(writer):
            port = await self._told(reader, writer)
            if port is None:
                return
            there, back = await asyncio.open_connection("127.0.0.1", port)
            with closing(back):
                await asyncio.gather(_carry(reader, back), _carry(there, writer), return_exceptions=True)

    @abstractmethod
    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        """The port to connect to, when it has been said that this is done; None: it is not."""


class ConnectProxy(Proxy):
    """A proxy over HTTP, over TLS with a context; `status` is what it answers."""

    def __init__(self, status: int = 200, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self.scheme = "http" if context is None else "https"
        self.status = status

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        target = head[0].split(" ")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        self.asked.append((target, headers.get("proxy-authorization")))
        if self.status != 200:
            writer.write(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return int(target.rpartition(":")[2])


class SocksProxy(Proxy):
    """A SOCKS5 proxy (RFC 1928) that wants a name and a password (RFC 1929).

    It believes `password`. `reply` is what it answers when it is asked to connect, 0 for yes; `says` is all it says
    instead, when it is not empty.
    """

    scheme = "socks5"

    def __init__(self, reply: int = 0, password: str = PASSWORD, says: bytes | None = None) -> None:
        super().__init__()
        self._reply = reply
        self._password = password
        self._says = says

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int | None:
        if self._says is not None:
            writer.write(self._says)
            writer.write_eof()
            await reader.read()
            return None
        await _expect(reader, 5)
        if 2 not in await _counted(reader):
            writer.write(b"\x05\xff")
            return None
        writer.write(b"\x05\x02")
        await _expect(reader, 1)
        name, password = await _counted(reader), await _counted(reader)
        if password.decode() != self._password:
            writer.write(b"\x01\x01")
            return None
        writer.write(b"\x01\x00")
        await _expect(reader, 5, 1, 0)
        host, port = await _target(reader)
        self.asked.append((f"{host}:{port}", f"Basic {base64.b64encode(name + b':' + password).decode()}"))
        writer.write(bytes((5, self._reply, 0, 1, 127, 0, 0, 1, 0, 0)))
        return port if self._reply == 0 else None


async def _expect(reader: asyncio.StreamReader, *values: int) -> None:
    assert tuple(await reader.readexactly(len(values))) == values


async def _counted(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])


async def _target(reader: asyncio.StreamReader) -> tuple[str, int]:
    kind = (await reader.readexactly(1))[0]
    if kind == 3:
        host = (await _counted(reader)).decode()
    else:
        host = str(ip_address(await reader.readexactly({1: 4, 4: 16}[kind])))
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
