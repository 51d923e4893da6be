"""The pool of workers, whose processes the test plays."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.model.rbac import Role, RoleKey
from controlplane.workers.frames import framed
from controlplane.workers.pool import Workers
from controlplane.workers.reading import read

ROLE = Role(RoleKey("", "reader"))
FIRST = Policy(1, MappingProxyType({ROLE.key: ROLE}))
COUNTED = ["requests", "Requests.", "counter", [["requests_total", {}, 3]]]


class Worker:
    """A worker that the test plays."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.reader = reader
        self.writer = writer
        self._ended = asyncio.Event()

    async def hear(self, kind: str) -> Mapping[str, Any]:
        """The next message of that kind; the control plane's questions may come before."""
        async with asyncio.timeout(10):
            while True:
                message = await read(self.reader)
                assert message is not None, "the control plane is gone"
                if message["kind"] == kind:
                    return message
                assert message["kind"] == "ask"

    async def policy(self) -> int:
        """The generation of the next whole policy."""
        while "generation" not in (part := await self.hear("policy")):
            pass
        return int(part["generation"])

    async def obey(self) -> None:
        """Acknowledges every policy and answers every question."""
        while (message := await read(self.reader)) is not None:
            if message["kind"] == "ask":
                self.say("metrics", metrics=[])
            elif "generation" in message:
                self.say("applied", generation=message["generation"])

    def say(self, kind: str, **more: object) -> None:
        """Says something."""
        self.writer.write(framed({"kind": kind, **more}))

    def end(self, code: int) -> None:
        """Ends the process, and with it its end of the socket."""
        self.returncode = code
        self.writer.close()
        self._ended.set()

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class Played:
    """A pool of two workers, its clock, and what it has told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.ticks: set[tuple[float, asyncio.Future[None]]] = set()
        self.slept: list[float] = []
        self.policy = Watchable(Policy())
        self.problems: Watchable[frozenset[Problem]] = Watchable(frozenset())
        self.registry = CollectorRegistry()
        self.started: asyncio.Queue[Worker] = asyncio.Queue()
        self.workers: dict[int, Worker] = {}
        self.pool = Workers(
            2,
            lambda number: {"kind": "start", "number": number},
            self.policy,
            launch=self._launch,
            report=self._report,
            registry=self.registry,
            clock=lambda: self.now,
            sleep=self._sleep,
        )
        monkeypatch.setattr(os, "killpg", self._kill)

    async def next(self) -> tuple[int, Worker]:
        """The worker that is started next, and its number."""
        worker = await asyncio.wait_for(self.started.get(), 10)
        return (await worker.hear("start"))["number"], worker

    async def serving(self) -> dict[int, Worker]:
        """Both workers, once they serve by the first policy."""
        self.policy.publish(FIRST)
        workers = dict([await self.next(), await self.next()])
        for worker in workers.values():
            worker.say("listening")
            assert await worker.policy() == 1
            worker.say("applied", generation=1)
        await self.until(lambda: self.pool.oldest() == 1)
        return workers

    async def pass_time(self, seconds: float) -> None:
        """Lets time pass, and wakes whoever has slept enough."""
        self.now += seconds
        for due, tick in tuple(self.ticks):
            if due <= self.now and not tick.done():
                tick.set_result(None)
        for _ in range(10):
            await asyncio.sleep(0)

    async def until(self, condition: Any) -> None:  # noqa: ANN401 - a callable
        """Waits for something that follows from messages."""
        async with asyncio.timeout(10):
            while not condition():
                await self.pass_time(0.01)

    def wrong(self) -> dict[int, str]:
        """What is wrong with each worker."""
        return {each.number: each.wrong for each in self.pool.standings}

    async def _launch(self) -> tuple[Worker, socket.socket]:
        ours, theirs = socket.socketpair()
        streams = await asyncio.open_unix_connection(sock=theirs)
        worker = Worker(2**30 + len(self.workers), *streams)
        self.workers[worker.pid] = worker
        self.started.put_nowait(worker)
        return worker, ours

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        tick: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self.now + seconds, tick)
        self.ticks.add(entry)
        try:
            await tick
        finally:
            self.ticks.discard(entry)

    def _report(self, problems: Iterable[Problem]) -> None:
        self.problems.publish(frozenset(problems))

    def _kill(self, group: int, number: int) -> None:
        if self.workers[group].returncode is None:
            self.workers[group].end(-number)


@pytest.fixture
async def played(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Played]:
    """A pool that runs; afterwards every worker has ended."""
    made = Played(monkeypatch)
    async with running(made):
        yield made
    assert all(worker.returncode is not None for worker in made.workers.values())


@asynccontextmanager
async def running(played: Played) -> AsyncIterator[None]:
    """The pool runs while the context lasts."""
    task = asyncio.create_task(played.pool.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for worker in played.workers.values():
            worker.writer.close()


async def test_nothing_is_pushed_before_there_is_a_policy(played: Played) -> None:
    """A worker is told how to start, and gets the policy when there is one: whole, and once."""
    _, worker = await played.next()
    worker.say("listening")
    await played.until(lambda: played.slept)
    assert played.pool.oldest() == 0

    played.policy.publish(FIRST)

    assert (await worker.hear("policy"))["roles"] != []
    assert (await worker.hear("policy"))["generation"] == 1


async def test_only_what_changes_is_pushed(played: Played) -> None:
    """The second policy has one role more, and its parts name no other; the latest wins over those in between."""
    workers = await played.serving()
    more = Role(RoleKey("", "more"))
    played.policy.publish(replace(FIRST, generation=2))
    played.policy.publish(Policy(3, MappingProxyType({**FIRST.roles, more.key: more})))

    for worker in workers.values():
        assert [role[0] for role in (await worker.hear("policy"))["roles"]] == [["", "more"]]
        assert (await worker.hear("policy"))["generation"] == 3
        worker.say("applied", generation=3)
    await played.until(lambda: played.pool.oldest() == 3)


async def test_a_worker_that_ends_is_started_again_with_the_whole_policy(played: Played) -> None:
    """After a pause that doubles; it is a problem until the next one serves, and the other worker is left alone."""
    workers = await played.serving()
    await played.until(lambda: played.wrong() == {1: "", 2: ""})
    workers[1].end(-9)
    await played.until(lambda: 0.1 in played.slept)
    assert played.wrong() == {1: "ended (signal 9, Killed); it is started again in 0.1 s", 2: ""}
    assert [problem.subject for problem in played.problems.value] == ["worker 1"]

    await played.pass_time(0.1)
    number, again = await played.next()
    again.say("listening")
    await played.until(lambda: played.pool.standings[0].pid == again.pid)
    assert played.problems.value, "it is told until the next one serves"
    assert await again.policy() == 1
    again.say("applied", generation=1)

    await played.until(lambda: not played.problems.value)
    assert (number, played.wrong()) == (1, {1: "", 2: ""})
    assert workers[2].returncode is None
    starts = played.registry.get_sample_value("isthmus_authorization_worker_starts_total", {"worker": "1"})
    assert starts == 2
    again.end(1)
    await played.until(lambda: 0.2 in played.slept)


async def test_a_worker_that_ends_by_itself_is_told_by_its_own_end(played: Played) -> None:
    """Its socket is closed before its process ends, and it is not what the control plane does about that."""
    workers = await played.serving()
    workers[1].writer.close()
    # Long enough for the control plane to hear of it.
    for _ in range(20):
        await played.pass_time(0.0)
    workers[1].end(3)

    await played.until(lambda: "ended" in played.wrong()[1])
    assert played.wrong()[1].startswith("ended (exit code 3)")


async def test_a_worker_that_does_not_keep_up_is_shown_and_then_ended(played: Played) -> None:
    """After a second it is a problem, after ten it is ended; what it acknowledges in time is none."""
    workers = await played.serving()
    obeying = asyncio.create_task(workers[2].obey())
    played.policy.publish(replace(FIRST, generation=2))
    began, seen = played.now, list[float]()
    while workers[1].returncode is None:
        await played.pass_time(0.5)
        await played.until(lambda: not played.pool._links[2].waiting())
        if played.problems.value and workers[1].returncode is None:
            assert [problem.subject for problem in played.problems.value] == ["worker 1"]
            assert played.wrong()[1] == "does not answer, or is behind by policy 1"
            seen.append(played.now - began)

    assert 1.0 < seen[0] < 2.0
    assert 9.0 < seen[-1] < 11.0
    await played.until(lambda: "was ended" in played.wrong()[1])
    assert (workers[2].returncode, played.wrong()[2]) == (None, "")
    obeying.cancel()


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\2{}",
        framed({"kind": "start"}),
        framed({"kind": "applied"}),
        framed({"kind": "applied", "generation": "x"}),
        framed({"kind": "applied", "generation": 1e999}),
        framed({"kind": "applied", "generation": True}),
        framed({"kind": "applied", "generation": -1}),
        framed({"kind": "metrics", "metrics": [["a", "b", "gauge", [["a", {}, 1e999]]]]}),
        framed({"kind": "metrics", "metrics": 3}),
        framed({"kind": "problems", "source": "x", "problems": [["too", "short"]]}),
    ],
)
async def test_a_worker_that_says_what_it_should_not_is_ended(played: Played, said: bytes) -> None:
    """The other one goes on, and the reason is told."""
    workers = await played.serving()
    workers[1].writer.write(said)

    await played.until(lambda: "said what it should not" in played.wrong()[1])
    assert workers[1].returncode is not None
    assert workers[2].returncode is None


async def test_metrics_are_asked_for_and_added_up(played: Played) -> None:
    """Before they are shown every worker is asked; one that does not answer is not waited for for long."""
    workers = await played.serving()
    counting = asyncio.create_task(played.pool.counted())
    for worker in workers.values():
        await worker.hear("ask")
        worker.say("metrics", metrics=[COUNTED])
    # Each had been asked once by the look at it, and answers questions in their order.
    for worker in workers.values():
        worker.say("metrics", metrics=[COUNTED])
    await asyncio.wait_for(counting, 10)

    assert played.registry.get_sample_value("requests_total") == 6
    assert played.registry.get_sample_value("isthmus_authorization_workers_generation") == 1
    workers[1].end(0)
    await played.until(lambda: played.wrong()[1])
    assert played.registry.get_sample_value("requests_total") == 6


async def test_many_metrics_are_no_reason_to_end_a_worker(played: Played) -> None:
    """Two hundred webhooks, each with a histogram by result, come to two megabytes."""
    workers = await played.serving()
    labels = [{"name": f"webhook-{number:03}.example.com", "result": "success"} for number in range(15_000)]
    samples = [["seconds_bucket", {**each, "le": "0.005"}, 1] for each in labels]

    for worker in workers.values():
        worker.say("metrics", metrics=[["seconds", "Time.", "histogram", samples]])

    def told() -> float | None:
        return played.registry.get_sample_value("seconds_bucket", {**labels[0], "le": "0.005"})

    await played.until(lambda: told() == 2)
    assert [None, None] == [worker.returncode for worker in workers.values()]


async def test_what_a_worker_finds_wrong_with_files_is_told(played: Played) -> None:
    """It is a problem of the control plane's until the worker says that it is solved."""
    workers = await played.serving()
    problem = ["/tls.crt", "", "authorization.tls.certificateFile", "is no certificate", "put one there"]
    workers[1].say("problems", source="authorization.tls", problems=[problem])
    await played.until(lambda: played.problems.value)
    assert "is no certificate" in str(next(iter(played.problems.value)))

    workers[1].say("problems", source="authorization.tls", problems=[])
    await played.until(lambda: not played.problems.value)
