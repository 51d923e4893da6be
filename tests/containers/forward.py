"""A port for containers that leads to one of this machine's loopback.

In: two addresses. Out: connections from the one to the other. Law: it ends with the `with`, and its connections too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Queue


@contextmanager
def forwarded(address: str, port: int, to: int) -> Iterator[None]:
    """Connections to `port` of `address` are connections to 127.0.0.1, port `to`."""
    ready: Queue[Callable[[], None]] = Queue()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", to)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copied(reader, onward_writer))
                tasks.create_task(_copied(onward_reader, writer))

    async def serve() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(lead, address, port):
            ready.put(lambda: loop.call_soon_threadsafe(end.set))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    stop = ready.get(timeout=10)
    try:
        yield
    finally:
        stop()
        thread.join(10)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from the one to the other; a half that ends ends the other half."""
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
