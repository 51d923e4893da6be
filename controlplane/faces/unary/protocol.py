"""One connection of the server, on an event loop.

In: a transport. Out: methods that are run, and their answers. Law: the calls of one read begin together, and what is
answered in one turn of the loop leaves in one write; a call that waits holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeAlias, cast

import structlog

from controlplane.faces.unary.connection import Connection
from controlplane.faces.unary.door import Door
from controlplane.faces.unary.heads import Metadata
from controlplane.faces.unary.status import Status
from controlplane.faces.unary.stream import Call

Method: TypeAlias = Callable[[bytes, Metadata], Coroutine[Any, Any, bytes]]
"""Answers the message of a call, whose metadata it is given; raises `CallError` for a call that fails."""
Methods: TypeAlias = Mapping[str, Method]
"""By path, such as "/grpc.health.v1.Health/Check"."""

BUFFER_BYTES: Final = 1 << 16
"""As much as is read at once."""

_log = structlog.stdlib.get_logger(__name__)


class CallError(Exception):
    """A call fails, with a status and a sentence for the client."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Serving(asyncio.BufferedProtocol):
    """Reads, runs methods, and writes; `opened` holds it while the connection is open.

    `buffer` is shared by all connections: what one has read is taken before the loop turns to another.
    """

    def __init__(
        self,
        methods: Methods,
        door: Door,
        opened: set[Serving],
        buffer: memoryview,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._methods = methods
        self._door = door
        self._opened = opened
        self._loop = loop
        self._connection = Connection(methods)
        self._buffer = buffer
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # Calls that have just begun: those that wait after their first step get a time limit.
        self._begun: list[Call] = []
        self._limits: dict[int, asyncio.TimerHandle] = {}
        self._flushing = False
        # Until the door has looked, nobody is served: what fails there must not let anybody in.
        self._reason = "the client has not been looked at"
        self._transport: asyncio.Transport
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done once the connection is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there, and whoever it says it is has been verified."""
        self._transport = cast("asyncio.Transport", transport)
        self._opened.add(self)
        self._reason = self._door.refused(self._transport)
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Nobody waits for anything any more."""
        self._opened.discard(self)
        for stream in list(self._tasks):
            self._forget(stream)
        self.gone.set_result(None)

    def get_buffer(self, _size_hint: int) -> memoryview:
        """Where the next read goes."""
        return self._buffer

    def buffer_updated(self, length: int) -> None:
        """Something was read."""
        calls, cancelled = self._connection.receive(bytes(self._buffer[:length]), self._loop.time())
        for stream in cancelled:
            self._forget(stream)
        for call in calls:
            if self._reason:
                self._connection.fail(call.stream, Status.PERMISSION_DENIED, self._reason)
            else:
                self._tasks[call.stream] = self._loop.create_task(self._answer(call))
                self._begun.append(call)
        # The tasks take their first step before it.
        self._flush_soon()

    def pause_writing(self) -> None:
        """The client does not read: nothing more of it is read either."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    def leave(self) -> None:
        """Sends the client elsewhere; the connection closes when its calls are answered."""
        self._connection.goaway()
        self._flush()

    def cut(self) -> None:
        """Closes the connection now."""
        self._transport.abort()

    async def _answer(self, call: Call) -> None:
        stream = call.stream
        try:
            self._connection.answer(stream, await self._methods[call.path](call.message, call.metadata))
        except CallError as error:
            self._connection.fail(stream, error.status, error.message)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the others must be answered
            # What the call said, or whose it was, is for nobody's eyes.
            _log.error("a call failed", path=call.path, error=type(error).__qualname__)
            self._connection.fail(stream, Status.UNKNOWN, "the method failed")
        self._tasks.pop(stream, None)
        if self._limits and (limit := self._limits.pop(stream, None)) is not None:
            limit.cancel()
        self._flush_soon()

    def _forget(self, stream: int) -> None:
        """Nobody waits for a call any more."""
        limit = self._limits.pop(stream, None)
        if limit is not None:
            limit.cancel()
        task = self._tasks.pop(stream, None)
        if task is not None:
            task.cancel()

    def _expire(self, stream: int) -> None:
        self._connection.fail(stream, Status.DEADLINE_EXCEEDED, "the time the client set has passed")
        self._forget(stream)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Sends what there is to send, in one write."""
        self._flushing = False
        for call in self._begun:
            if call.timeout is not None and call.stream in self._tasks:
                self._limits[call.stream] = self._loop.call_later(call.timeout, self._expire, call.stream)
        self._begun.clear()
        out = self._connection.outgoing()
        if self._transport.is_closing():
            return
        if out:
            self._transport.write(out)
        if self._connection.closed:
            if self._connection.faulty:
                self._door.closed(self._connection.closed)
            self._transport.close()
