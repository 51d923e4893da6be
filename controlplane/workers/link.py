"""The control plane's side of a conversation with one worker.

In: a socket, what the worker is to know first, and the watched policy. Out: the policy at the worker, whole once and
then what changes; what the worker says of itself. Law: a worker that says what is no message is done with.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from controlplane.aio import Watchable
from controlplane.model.policy import Policy
from controlplane.model.problem import Origin, Problem
from controlplane.workers.changes import parts
from controlplane.workers.frames import FrameError, Message, framed, whole
from controlplane.workers.reading import read
from controlplane.workers.samples import Families, decoded

# What a worker says is metrics, and what is wrong with files. A hundred webhooks come to a megabyte of metrics.
_LIMIT: Final = 1 << 24


class Link:
    """One conversation; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        start: Message,
        policy: Watchable[Policy],
        *,
        clock: Callable[[], float],
        counted: Callable[[Families], None],
        found: Callable[[str, tuple[Problem, ...]], None],
    ) -> None:
        """`counted` hears of the worker's metrics, `found` of the Problems that one part of it has."""
        self._reader = reader
        self._writer = writer
        self._start = start
        self._policy = policy
        self._clock = clock
        self._counted = counted
        self._found = found
        self._pushed: deque[tuple[int, float]] = deque()
        self._asked: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._began = clock()
        self.listening = False
        """Whether the worker has said that it can be reached."""
        self.generation = 0
        """The generation of the policy by which the worker decides; 0: it has none."""

    @property
    def asked(self) -> bool:
        """Whether an answer to `ask` is outstanding."""
        return bool(self._asked)

    async def run(self) -> None:
        """Returns when the worker has ended the conversation.

        Raises:
            FrameError: when it said what is no message.
        """
        pushing = asyncio.create_task(self._push(), name="push")
        hearing = asyncio.create_task(self._hear(), name="hear")
        try:
            done, _ = await asyncio.wait((pushing, hearing), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (pushing, hearing):
                task.cancel()
            await asyncio.gather(pushing, hearing, return_exceptions=True)
            for _, answered in self._asked:
                answered.cancel()
            self._asked.clear()

    def waiting(self) -> float:
        """For how many seconds the worker owes an answer; 0: it owes none."""
        if not self.listening:
            return self._clock() - self._began
        since = [at for _, at in self._pushed] + [at for at, _ in self._asked]
        return self._clock() - min(since) if since else 0.0

    def ask(self) -> asyncio.Future[None]:
        """Asks for the worker's metrics; the future is done once they are there, cancelled when they never come."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((self._clock(), answered))
        self._writer.write(framed({"kind": "ask"}))
        return answered

    async def _push(self) -> None:
        with suppress(ConnectionError):
            await self._say(self._start)
            sent = Policy()
            while True:
                policy = self._policy.value
                if policy is sent or not policy.generation:
                    await self._policy.changed(policy)
                    continue
                self._pushed.append((policy.generation, self._clock()))
                for part in parts(sent, policy):
                    await self._say(part)
                sent = policy

    async def _say(self, message: Message) -> None:
        self._writer.write(framed(message))
        await self._writer.drain()
        # Requests for others are served between two parts of a large policy.
        await asyncio.sleep(0)

    async def _hear(self) -> None:
        while (message := await read(self._reader, _LIMIT)) is not None:
            try:
                self._take(message)
            except (KeyError, ValueError, TypeError):
                raise FrameError("a message lacks something") from None

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case "listening":
                self.listening = True
                self._pushed = deque((generation, self._clock()) for generation, _ in self._pushed)
            case "applied":
                self.generation = whole(message["generation"], least=1)
                while self._pushed and self._pushed[0][0] <= self.generation:
                    self._pushed.popleft()
            case "metrics":
                self._counted(decoded(message["metrics"]))
                if self._asked:
                    _, answered = self._asked.popleft()
                    if not answered.done():
                        answered.set_result(None)
            case "problems":
                self._found(str(message["source"]), tuple(_problem(*each) for each in message["problems"]))
            case _:
                raise FrameError("a message is of no kind that there is")


def _problem(path: str, subject: str, field: str, message: str, remedy: str) -> Problem:
    return Problem(Origin(str(path)), str(subject), str(field), str(message), str(remedy))
