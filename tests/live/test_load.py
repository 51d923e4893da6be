"""What a constant load of at least 500 requests a second notices of changes, rotations, crashes and restarts."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import aiohttp
import pytest
import urllib3
from backend import Backend
from stack import Process, Stack, envoy_binary, registration, until

PATH = "/apis/first.example.com/v1/things"
ADDED = "/apis/second.example.com/v1/things"
WANTED_RATE = 500
WORKERS = 8
SHARED_MEMORY = Path("/dev/shm")


class Load:
    """Requests from several keep-alive connections without a pause, until the end of the `with`."""

    def __init__(self, stack: Stack) -> None:
        self.total = 0
        self.failures: list[tuple[int, bytes]] = []
        """Status and body of every answer that was not 200; status 0 is no answer at all."""
        self._url = stack.url + PATH
        self._context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
        self._context.load_cert_chain(*stack.user("admin", "system:masters"))
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.total > WORKERS, "the load runs")
        self._begin, self._before = time.monotonic(), self.total
        return self

    def __exit__(self, *_: object) -> None:
        self.rate = (self.total - self._before) / (time.monotonic() - self._begin)
        self._end.set()
        self._thread.join()
        print(f"{self.rate:.0f} requests/s, {self.total} in all, {len(self.failures)} failed")

    def more(self, requests: int) -> None:
        """Waits until that many more requests were answered."""
        goal = self.total + requests
        until(lambda: self.total >= goal, f"{requests} more requests")

    async def _run(self) -> None:
        # A server may close an idle connection at any time. A GET whose connection is closed before a byte of the
        # answer came is sent once more by aiohttp, on another connection, as Go's client does; whatever fails then, or
        # cannot connect at all, is counted.
        connector = aiohttp.TCPConnector(ssl=self._context, limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(self._ask(session) for _ in range(WORKERS)))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        while not self._end.is_set():
            try:
                async with session.get(self._url) as response:
                    status, body = response.status, await response.read()
            except aiohttp.ClientError as error:
                status, body = 0, repr(error).encode()
            self.total += 1
            if status != 200:
                self.failures.append((status, body))


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A front door that keeps verdicts for longer than a test takes."""
    with Stack(settings={"verdictCache": {"ttl": "5m"}}) as running:
        yield running


@pytest.fixture
def first(stack: Stack) -> Iterator[Backend]:
    """The backend under load."""
    with backend(stack, "first") as running:
        stack.drop("first.yaml", *objects(stack, running, "first"))
        until(lambda: stack.status(PATH, admin(stack)) == 200, "the first API is served")
        yield running


def backend(stack: Stack, name: str) -> Backend:
    """A backend of that name."""
    return Backend(*stack.backend_files(name), stack.root / "proxies-ca.crt", name=name)


def objects(stack: Stack, to: Backend, service: str, group: str = "first.example.com") -> list[dict[str, object]]:
    """The registration of a group with a backend."""
    return registration(group, "v1", to.port, stack.servers.certificate, service=service)


def admin(stack: Stack) -> urllib3.PoolManager:
    """A client that may do everything."""
    return stack.http("admin", "system:masters")


def serving_name(stack: Stack) -> str:
    """Whose certificate the front door shows to a new connection."""
    with admin(stack).connection_from_url(stack.url) as pool:
        connection = pool._get_conn()
        connection.connect()
        subject = dict(pair[0] for pair in connection.sock.getpeercert()["subject"])
        connection.close()
    return str(subject["commonName"])


def test_no_change_costs_a_request(stack: Stack, first: Backend) -> None:
    """APIs come and go, the loaded one moves between backends, both certificates rotate: every request is answered."""
    client = admin(stack)
    with backend(stack, "second") as second, backend(stack, "other") as other, Load(stack) as load:
        load.more(WANTED_RATE)
        for _ in range(5):
            stack.drop("second.yaml", *objects(stack, second, "second", "second.example.com"))
            until(lambda: stack.status(ADDED, client) == 200, "the second API is served")
            load.more(50)
            stack.remove("second.yaml")
            until(lambda: stack.status(ADDED, client) == 404, "the second API is gone")
            load.more(50)
        for target, name in ((other, "other"), (first, "first")) * 3:
            stack.drop("first.yaml", *objects(stack, target, name))
            reached = len(target.seen)
            until(lambda target=target, reached=reached: len(target.seen) > reached + 20, f"{name} is reached")
            load.more(50)
        rotate(stack, "serving", stack.servers.issue("rotated", ip_addresses=["127.0.0.1"], client=False))
        until(lambda: serving_name(stack) == "rotated", "new connections see the new serving certificate")
        load.more(50)
        updates = "sds.front-proxy.update_success"
        before = stack.stats(updates)
        rotate(stack, "proxy", stack.proxies.issue("rotated-proxy", server=False))
        until(lambda: stack.stats(updates) != before, "Envoy has the new front-proxy certificate")
        stack.drop("first.yaml", *objects(stack, second, "second"))
        until(lambda: second.seen and second.seen[-1].client == "rotated-proxy", "backends see the new certificate")
        load.more(WANTED_RATE)

    assert load.failures == []
    assert load.rate >= WANTED_RATE


def rotate(stack: Stack, name: str, pair: tuple[bytes, bytes]) -> None:
    """Replaces a certificate and its key, one file after the other."""
    (stack.root / f"{name}.key").write_bytes(pair[1])
    (stack.root / f"{name}.crt").write_bytes(pair[0])


def test_killed_control_plane_costs_no_request_whose_verdict_is_known(stack: Stack, first: Backend) -> None:
    """Kill -9: what is known goes on, all else gets a 503 Status, and the next control plane takes over unnoticed."""
    assert stack.control_plane is not None
    stranger = stack.http("stranger", "system:masters")
    with Load(stack) as load:
        load.more(WANTED_RATE)
        stack.control_plane.stop(signal.SIGKILL)
        load.more(WANTED_RATE)
        refused = stranger.request("GET", stack.url + PATH)
        load.more(WANTED_RATE)
        stack.start_control_plane()
        until(lambda: stack.status(PATH, stranger) == 200, "requests are decided again")
        until(
            lambda: stack.stats("control_plane.connected_state") == {"control_plane.connected_state": 1}, "xDS is back"
        )
        load.more(2 * WANTED_RATE)

    assert load.failures == []
    body = json.loads(refused.data)
    assert (503, "Status", "Failure", 503) == (refused.status, body["kind"], body["status"], body["code"])


def test_hot_restart_of_envoy_costs_no_request(stack: Stack, first: Backend) -> None:
    """A second Envoy takes the listener over from the first, which finishes what it has and ends."""
    assert stack.envoy is not None
    stack.envoy.stop()
    stack.envoy = old = envoy(stack, 0)
    try:
        until(stack.listening, "the first Envoy listens")
        until(lambda: stack.status(PATH, admin(stack)) == 200, "it serves")
        with Load(stack) as load:
            load.more(WANTED_RATE)
            stack.envoy = new = envoy(stack, 1)
            until(lambda: not old.running, "the old Envoy is gone")
            load.more(WANTED_RATE)
    finally:
        old.stop()
        for leftover in SHARED_MEMORY.glob(f"envoy_shared_memory_{stack.port}*"):
            leftover.unlink()

    assert new.running
    assert load.failures == []
    assert load.rate >= WANTED_RATE


def envoy(stack: Stack, epoch: int) -> Process:
    """Starts an Envoy that can be restarted hot; it drains for a second, and ends a second after that."""
    command = [envoy_binary(), "-c", str(stack.root / "envoy.json"), "--concurrency", "1", "--log-level", "info"]
    # Envoys of one base id share memory; ports are not shared, so nobody else's Envoy has this one.
    command += ["--base-id", str(stack.port), "--restart-epoch", str(epoch)]
    command += ["--drain-time-s", "1", "--parent-shutdown-time-s", "2"]
    return Process(command, stack.root / f"envoy-{epoch}.log")
