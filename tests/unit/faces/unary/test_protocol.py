"""One connection on an event loop, with a transport that only listens."""

from __future__ import annotations

import asyncio

import pytest
from unary_client import METHOD, Client, split

from controlplane.faces.unary import frames
from controlplane.faces.unary.door import Door
from controlplane.faces.unary.protocol import BUFFER_BYTES, Serving


class Heard(asyncio.Transport):
    """Keeps what is written first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def is_closing(self) -> bool:
        """Never."""
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keeps it."""
        self.first.set_result(bytes(data))


class Broken(Door):
    """A door that cannot look."""

    def refused(self, _: asyncio.Transport) -> str:
        """Fails as a socket option does."""
        raise OSError("no such option")


async def echo(message: bytes, _: object) -> bytes:
    """Answers what it is sent."""
    return message


async def test_who_was_not_looked_at_is_not_served() -> None:
    """Whatever goes wrong at the door, a call that comes all the same is refused."""
    client, transport = Client(), Heard()
    door = Broken("xds", None, clock=lambda: 0.0)
    buffer = memoryview(bytearray(BUFFER_BYTES))
    serving = Serving({METHOD: echo}, door, set(), buffer, asyncio.get_running_loop())
    with pytest.raises(OSError, match="no such option"):
        serving.connection_made(transport)
    said = frames.PREFACE + frames.settings({}) + client.call(1)
    serving.get_buffer(-1)[: len(said)] = said
    serving.buffer_updated(len(said))

    last = split(await transport.first)[-1]
    assert ("7", frames.HEADERS) == (client.decoded(last)["grpc-status"], last.kind)
