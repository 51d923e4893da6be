"""A listening server of unary gRPC calls.

In: methods, an address, and what encryption it takes. Out: a server while the context lasts. Law: with encryption, no
method sees a call whose client is not verified and allowed; without, the address is one that the settings found good.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from controlplane.faces.identity import Report, followed
from controlplane.faces.rpc import GRACE_SECONDS, not_listening
from controlplane.faces.unary.door import ALPN, Door
from controlplane.faces.unary.protocol import BUFFER_BYTES, Methods, Serving
from controlplane.settings.face import Face

_HANDSHAKE_SECONDS: Final = 10.0
# Connections waiting to be accepted.
_BACKLOG: Final = 1024


@asynccontextmanager
async def listening(
    section: str, face: Face, methods: Methods, reporter: Callable[[str], Report]
) -> AsyncIterator[int]:
    """Serves methods at a face, and gives its TCP port (0 for a Unix socket); `reporter` is that of `followed`.

    At the end calls under way have GRACE_SECONDS to be answered.

    Raises:
        StartError: when the address cannot be listened on, or the certificates cannot be used.
    """
    loop, address, opened = asyncio.get_running_loop(), face.listen, set[Serving]()
    async with AsyncExitStack() as stack:
        context: ssl.SSLContext | None = None
        if face.tls is not None:
            identity = await stack.enter_async_context(followed(f"{section}.tls", face.tls, reporter))
            context = identity.context(ALPN)
        door = Door(section, None if face.tls is None else face.tls.allowed_names, clock=time.monotonic)
        buffer = memoryview(bytearray(BUFFER_BYTES))

        def serving() -> Serving:
            return Serving(methods, door, opened, buffer, loop)

        try:
            if address.path:
                server = await loop.create_unix_server(serving, address.path, backlog=_BACKLOG)
            else:
                limit = None if context is None else _HANDSHAKE_SECONDS
                server = await loop.create_server(
                    serving, address.host, address.port, ssl=context, ssl_handshake_timeout=limit, backlog=_BACKLOG
                )
        except OSError as error:
            raise not_listening(address) from error
        stack.push_async_callback(_stop, server, opened)
        yield 0 if address.path else server.sockets[0].getsockname()[1]


async def _stop(server: asyncio.Server, opened: set[Serving]) -> None:
    server.close()
    gone = [connection.gone for connection in opened]
    for connection in list(opened):
        connection.leave()
    if gone:
        await asyncio.wait(gone, timeout=GRACE_SECONDS)
    for connection in list(opened):
        connection.cut()
    if gone:
        await asyncio.wait(gone)
