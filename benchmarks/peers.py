"""Processes that answer questions: each side of a benchmark on its own core.

In: an address and sizes, then questions by name. Out: answers. Law: a question that fails says why to whoever asked,
and no process outlives the one that started it.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

Questions = Mapping[str, Callable[..., Awaitable[object]]]

# How seldom the garbage collector looks in the product.
_COLLECT_AFTER = (20_000, 20, 20)


class FailedError(Exception):
    """The answer to a question that failed; the message is the traceback over there."""


@dataclass(frozen=True)
class Usage:
    """What a process has used: seconds of CPU, and resident MiB now and at most."""

    cpu: float
    resident: float
    peak: float


class Part(ABC):
    """What lives in a process of its own."""

    def __init__(self, address: str, streams: int, clusters: int) -> None:
        self.address, self.streams, self.clusters = address, streams, clusters

    @abstractmethod
    async def start(self) -> Questions:
        """Starts; returns what may be asked."""

    @abstractmethod
    async def stop(self) -> None:
        """Ends everything."""


class Peer:
    """Another process, asked one thing at a time."""

    def __init__(self, kind: type[Part], address: str, streams: int, clusters: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        # A daemon: it ends when this process does, however that ends.
        self._process = spawning.Process(target=_live, args=(theirs, kind, address, streams, clusters), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def ask(self, question: str, *arguments: object) -> Any:
        """The answer.

        Raises:
            FailedError: when there is none.
        """
        self._pipe.send((question, arguments))
        return self._answer()

    def stop(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> Any:
        answer = self._pipe.recv()
        if isinstance(answer, FailedError):
            raise answer
        return answer


def _live(pipe: Connection, kind: type[Part], address: str, streams: int, clusters: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    gc.set_threshold(*_COLLECT_AFTER)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("WARNING"))
    asyncio.run(_answering(pipe, kind(address, streams, clusters)))


async def _answering(pipe: Connection, part: Part) -> None:
    """Answers until nobody can ask any more."""
    questions = {**await part.start(), "usage": _usage}
    gc.freeze()
    try:
        pipe.send(None)
        while True:
            try:
                question, arguments = await asyncio.to_thread(pipe.recv)
            except EOFError:
                return
            pipe.send(await _answered(questions[question], arguments))
    finally:
        await part.stop()


async def _answered(question: Callable[..., Awaitable[object]], arguments: tuple[object, ...]) -> object:
    try:
        return await question(*arguments)
    except Exception:  # noqa: BLE001 (whatever it is, whoever asked is told)
        return FailedError(traceback.format_exc())


async def _usage() -> Usage:
    own = resource.getrusage(resource.RUSAGE_SELF)
    lines = Path("/proc/self/status").read_text().splitlines()
    mib = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
    return Usage(own.ru_utime + own.ru_stime, mib["VmRSS"], mib["VmHWM"])
