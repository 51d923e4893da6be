"""The worker processes of a control plane.

In: how many, how one is started, and the watched policy. Out: so many processes, each with the latest policy, started
again whenever they end. Law: a worker that does not keep up is shown at once, and ended before long: by what it decides
nobody knows.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NoReturn, TypeAlias

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from controlplane.aio import Watchable
from controlplane.children import Backoff, Process, end, outcome, tethered
from controlplane.model.policy import Policy
from controlplane.model.problem import Origin, Problem
from controlplane.workers.frames import FrameError, Message
from controlplane.workers.link import Link
from controlplane.workers.samples import Sums

Launch: TypeAlias = Callable[[], Awaitable[tuple[Process, socket.socket]]]
"""Starts a worker, and gives it with the socket that leads to it."""
Report: TypeAlias = Callable[[Iterable[Problem]], None]
"""Hears all Problems with workers whenever they are others than before."""

_LOOK_SECONDS: Final = 0.5
_SLOW_SECONDS: Final = 1.0
"""A worker that owes an answer for longer is shown to be behind."""
_STUCK_SECONDS: Final = 10.0
"""A worker that owes an answer for longer is ended; Envoy waits half as long for a verdict."""
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 2.0
"""A worker that is told to end has so long; its face takes half of it to end what is under way."""
_FRESH_SECONDS: Final = 1.0

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one worker is: its process id, 0 for none; the generation it decides by, 0 for none; what is wrong, or "".

    `fault` says whether that is more than a start taking its time.
    """

    number: int
    pid: int = 0
    generation: int = 0
    wrong: str = "is starting"
    fault: bool = False


class Workers:
    """So many workers while it runs; `start` is what each is told first, by its number from 1."""

    def __init__(
        self,
        count: int,
        start: Callable[[int], Message],
        policy: Watchable[Policy],
        *,
        launch: Launch,
        report: Report,
        registry: CollectorRegistry,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._start = start
        self._policy = policy
        self._launch = launch
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._links: dict[int, Link] = {}
        self._standing = {number: Standing(number) for number in range(1, count + 1)}
        self._found: dict[tuple[int, str], tuple[Problem, ...]] = {}
        self._reported: frozenset[Problem] = frozenset()
        self._sums = Sums()
        registry.register(self._sums)
        self._starts = Counter(
            "isthmus_authorization_worker_starts", "Starts of authorization workers.", ["worker"], registry=registry
        )
        for name, text, tell in (
            ("policy", "The generation of the latest policy.", lambda: policy.value.generation),
            ("workers", "The generation of policy that every worker decides by, or a later one.", self.oldest),
        ):
            Gauge(f"isthmus_authorization_{name}_generation", text, registry=registry).set_function(tell)

    @property
    def standings(self) -> tuple[Standing, ...]:
        """How all workers are, as far as it was looked at."""
        return tuple(self._standing.values())

    def oldest(self) -> int:
        """The generation that every worker decides by, or a later one; 0 while one of them has none."""
        return min(link.generation if (link := self._links.get(number)) else 0 for number in self._standing)

    async def run(self) -> NoReturn:
        """Keeps the workers running until this task is cancelled; then all of them have ended."""
        async with asyncio.TaskGroup() as tasks:
            for number in self._standing:
                tasks.create_task(self._keep(number), name=f"authorization worker {number}")
        raise AssertionError("workers are kept until they are cancelled")

    async def counted(self) -> None:
        """Has every worker that answers say what it has counted; returns when they have, or after a second."""
        answers = [link.ask() for link in self._links.values() if link.listening]
        if answers:
            await asyncio.wait(answers, timeout=_FRESH_SECONDS)

    async def _keep(self, number: int) -> NoReturn:
        backoff = Backoff(first=0.1)
        while True:
            began = self._clock()
            reason = await self._live(number)
            delay = backoff.after(self._clock() - began)
            self._stand(Standing(number, wrong=f"{reason}; it is started again in {delay:g} s", fault=True))
            await self._sleep(delay)

    async def _live(self, number: int) -> str:
        """One life of a worker; why it ended."""
        try:
            process, connection = await self._launch()
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        self._starts.labels(str(number)).inc()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            link = self._links[number] = Link(
                reader,
                writer,
                self._start(number),
                self._policy,
                clock=self._clock,
                counted=partial(self._sums.take, number),
                found=partial(self._find, number),
            )
            try:
                reason = await self._until_end(number, process, link)
            finally:
                del self._links[number]
                writer.transport.abort()
        finally:
            await end(process, _END_SECONDS)
            self._sums.ended(number)
            self._found = {key: problems for key, problems in self._found.items() if key[0] != number}
        return reason or f"ended ({outcome(process.returncode or 0)})"

    async def _until_end(self, number: int, process: Process, link: Link) -> str:
        """Why the worker must be ended, "" when it has ended by itself."""
        talking = asyncio.create_task(link.run(), name=f"talk with authorization worker {number}")
        looking = asyncio.create_task(
            self._look(number, process.pid, link), name=f"look at authorization worker {number}"
        )
        ended = asyncio.create_task(process.wait(), name=f"end of authorization worker {number}")
        tasks: tuple[asyncio.Task[object], ...] = (talking, looking, ended)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                return looking.result()
            if talking.done():
                talking.result()
                # Its socket is closed a moment before it ends, and how it ends by itself is what a person must know.
                await asyncio.wait((ended,), timeout=_END_SECONDS)
            return ""
        except FrameError as error:
            return f"said what it should not: {error}"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, number: int, pid: int, link: Link) -> str:
        """Keeps the worker's standing; returns when it must be ended, and why."""
        while True:
            waiting = link.waiting()
            if waiting > (_STUCK_SECONDS if link.listening else _START_SECONDS):
                return f"did not answer for {waiting:.0f} s and was ended"
            before = replace(self._standing[number], pid=pid, generation=link.generation)
            if not link.listening or (self._policy.value.generation and not link.generation):
                # What ended the one before is the matter until this one serves.
                late = Standing(number, pid, link.generation, "takes long to start", fault=True)
                self._stand(late if waiting > _STUCK_SECONDS else before)
            elif waiting > _SLOW_SECONDS:
                self._stand(
                    replace(before, wrong=f"does not answer, or is behind by policy {link.generation}", fault=True)
                )
            else:
                self._stand(replace(before, wrong="", fault=False))
            if link.listening and not link.asked:
                link.ask()
            await self._sleep(_LOOK_SECONDS)

    def _stand(self, standing: Standing) -> None:
        before = self._standing[standing.number]
        self._standing[standing.number] = standing
        if standing.pid and standing.pid != before.pid:
            _log.info("authorization worker started", worker=standing.number, pid=standing.pid)
        self._tell()

    def _find(self, number: int, source: str, problems: tuple[Problem, ...]) -> None:
        self._found[number, source] = problems
        self._tell()

    def _tell(self) -> None:
        found = {problem for problems in self._found.values() for problem in problems}
        problems = frozenset(found | {_problem(each) for each in self._standing.values() if each.fault})
        if problems != self._reported:
            self._reported = problems
            self._report(problems)


def _problem(standing: Standing) -> Problem:
    remedy = "see its lines in the log"
    return Problem(Origin("authorization"), f"worker {standing.number}", "", standing.wrong, remedy)


async def launched() -> tuple[Process, socket.socket]:
    """A worker process, in a process group of its own, that dies with this one, and the socket that leads to it.

    Raises:
        OSError: when it cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            # Its standard input is the socket: nothing that is pushed is ever in an argument, a variable or a file.
            command = tethered(sys.executable, "-P", "-m", "controlplane", "authz-worker")
            process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno(), process_group=0)
    except BaseException:
        ours.close()
        raise
    return process, ours
