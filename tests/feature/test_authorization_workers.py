"""Authorization workers as processes, asked over gRPC: what is pushed counts, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2
from grpc_health.v1 import health_pb2
from prometheus_client import CollectorRegistry

from controlplane.aio import Watchable
from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import Secret
from controlplane.model.policy import Policy
from controlplane.model.problem import Problem
from controlplane.model.rbac import BindingKey, PolicyRule, Role, RoleBinding, RoleKey, Subject
from controlplane.settings.settings import Settings
from controlplane.workers.frames import framed
from controlplane.workers.pool import Workers, launched
from controlplane.workers.reading import read
from controlplane.workers.worker import start

THINGS = "/apis/a.io/v1/namespaces/n/things"
READER = Role(RoleKey("", "reader"), (PolicyRule(("get", "list"), ("a.io",), ("things",)),))
BINDING = RoleBinding(BindingKey("", "readers"), READER.key, (Subject("Group", "developers"),))
BOB = "secret-of-bob"
SERVICE = "envoy.service.auth.v3.Authorization"


class Running:
    """Two workers, and what they are pushed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # There is no such file: what is in it is pushed.
        self.tokens = folder / "tokens.csv"
        self.settings = Settings.model_validate(
            {
                "frontDoor": {"certificateFile": "a", "privateKeyFile": "b"},
                "manifests": "m",
                "authentication": {"tokenFile": str(self.tokens)},
                "xds": {"listen": f"unix:{folder}/xds.sock"},
                "authorization": {"listen": f"unix:{folder}/authz.sock", "workers": 2},
                "discovery": {"listen": f"unix:{folder}/discovery.sock"},
                "log": {"level": "debug"},
            }
        )
        self.policy = Watchable(Policy())
        self.registry = CollectorRegistry()
        self.workers = Workers(
            2,
            lambda number: start(self.settings, None, number),
            self.policy,
            launch=launched,
            report=_ignored,
            registry=self.registry,
            clock=time.monotonic,
        )

    def publish(self, *bindings: RoleBinding, tokens: str = "secret-of-bob,bob,1,developers\n") -> None:
        """The next policy."""
        before = self.policy.value
        content = tokens.encode()
        files = AuthFiles(MappingProxyType({self.tokens: Secret(content)}))
        held = before.files if before.generation and before.files == files else files
        mapping = MappingProxyType({binding.key: binding for binding in bindings})
        roles = MappingProxyType({READER.key: READER})
        self.policy.publish(Policy(before.generation + 1, roles, mapping, files=held))

    async def in_force(self) -> None:
        """Waits until both workers decide by the latest policy."""
        await until(lambda: self.workers.oldest() == self.policy.value.generation)

    @asynccontextmanager
    async def channels(self) -> AsyncIterator[list[grpc.aio.Channel]]:
        """A connection to each worker."""
        paths = [f"{self.folder}/authz.sock.{number}" for number in (1, 2)]
        await until(lambda: all(Path(path).is_socket() for path in paths))
        async with (
            grpc.aio.insecure_channel(f"unix:{paths[0]}") as first,
            grpc.aio.insecure_channel(f"unix:{paths[1]}") as second,
        ):
            yield [first, second]


def _ignored(_: Iterable[Problem]) -> None:
    """Hears of Problems."""


async def until(condition: Callable[[], object]) -> None:
    """Asks again and again until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what other processes do sets no event here
            await asyncio.sleep(0.005)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """Two workers; afterwards both have ended."""
    made = Running(tmp_path)
    task = asyncio.create_task(made.workers.run())
    yield made
    descriptors = [os.pidfd_open(each.pid) for each in made.workers.standings if each.pid]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for descriptor in descriptors:
        with pytest.raises(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, 0)
        os.close(descriptor)


async def asked(channel: grpc.aio.Channel, token: str = BOB) -> int:
    """The HTTP status that a worker answers a request with, 200 when it allows it."""
    request = external_auth_pb2.CheckRequest()
    http = request.attributes.request.http
    http.method, http.path = "GET", THINGS
    for name, value in ((":path", THINGS), ("authorization", f"Bearer {token}")):
        http.header_map.headers.add(key=name, raw_value=value.encode())
    check = channel.unary_unary(
        f"/{SERVICE}/Check",
        request_serializer=external_auth_pb2.CheckRequest.SerializeToString,
        response_deserializer=external_auth_pb2.CheckResponse.FromString,
    )
    response = await check(request, timeout=10, wait_for_ready=True)
    return 200 if response.status.code == 0 else int(response.denied_response.status.code)


async def health(channel: grpc.aio.Channel, service: str) -> int:
    """What the standard health service says."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    response = await check(health_pb2.HealthCheckRequest(service=service), timeout=10, wait_for_ready=True)
    return int(response.status)


async def test_without_a_policy_everything_is_denied(running: Running) -> None:
    """Each worker answers 503 and says NOT_SERVING until it has been pushed a policy, and SERVING from then on."""
    not_serving, serving = health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING
    async with running.channels() as channels:
        assert [await asked(channel) for channel in channels] == [503, 503]
        assert [await health(channel, SERVICE) for channel in channels] == [not_serving] * 2
        assert [await health(channel, "") for channel in channels] == [not_serving] * 2

        running.publish(BINDING)
        await running.in_force()

        assert [await asked(channel) for channel in channels] == [200, 200]
        assert [await health(channel, SERVICE) for channel in channels] == [serving] * 2


async def test_what_is_pushed_counts(running: Running) -> None:
    """Bindings and tokens that come and go count with every worker as soon as it has acknowledged them."""
    running.publish()
    async with running.channels() as channels:

        async def both(token: str = BOB) -> list[int]:
            await running.in_force()
            return [await asked(channel, token) for channel in channels]

        assert await both() == [403, 403]
        running.publish(BINDING)
        assert await both() == [200, 200]
        running.publish(replace(BINDING, subjects=(Subject("User", "eve"),)))
        assert await both() == [403, 403]
        assert await both("secret-of-eve") == [401, 401]
        running.publish(BINDING, tokens="secret-of-eve,eve,2,developers\n")
        assert await both("secret-of-eve") == [200, 200]
        assert await both() == [401, 401]
    await running.workers.counted()
    counted = running.registry.get_sample_value("isthmus_authorization_decisions_total", {"result": "allowed"})
    assert counted == 4


async def test_a_killed_worker_comes_back_with_what_was_pushed(running: Running) -> None:
    """After kill -9 the next one has the whole policy, and what the two have counted only grows."""
    running.publish(BINDING)
    await running.in_force()
    async with running.channels() as channels:
        assert [await asked(channel) for channel in channels] == [200, 200]
        await running.workers.counted()
        await until(lambda: running.workers.standings[0].pid)
        before = running.workers.standings[0].pid
        os.kill(before, signal.SIGKILL)
        await until(lambda: running.workers.standings[0].pid not in {0, before})
        await running.in_force()

        assert await asked(channels[0]) == 200
    await running.workers.counted()
    counted = running.registry.get_sample_value("isthmus_authorization_decisions_total", {"result": "allowed"})
    assert counted == 3


async def test_no_secret_is_where_others_could_read_it(running: Running, capfd: pytest.CaptureFixture[str]) -> None:
    """The token file's contents are in no worker's arguments, environment, open files or log."""
    running.publish(BINDING)
    await running.in_force()
    async with running.channels() as channels:
        assert [await asked(channel) for channel in channels] == [200, 200]
    await until(lambda: all(each.pid for each in running.workers.standings))
    for each in running.workers.standings:
        process = Path("/proc", str(each.pid))
        assert b"secret-of" not in process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
        assert process.joinpath("fd/0").readlink().name.startswith("socket:")
        regular = [link for link in process.joinpath("fd").iterdir() if link.exists() and link.is_file()]
        assert not [link for link in regular if b"secret-of" in link.read_bytes()]
    captured = capfd.readouterr()
    assert "secret-of" not in captured.out + captured.err
    assert not list(running.folder.glob("*.csv"))


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (b"", 0, ""),
        (b"\xff\xff\xff\xff", 1, "longer than"),
        (b"\0\0\0\5hello", 1, "no JSON"),
        (b"\0\0\0\x0a", 1, "ends within a frame"),
        (framed({"kind": "start"}), 1, "no start"),
        (framed({"kind": "start", "settings": "{}", "number": 1, "keeping": None}), 1, "no start"),
    ],
)
def test_garbage_ends_a_worker_with_a_sentence(said: bytes, code: int, why: str) -> None:
    """What is no start ends it at once, and so does a control plane that goes away."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = subprocess.Popen(
            [sys.executable, "-m", "controlplane", "authz-worker"], stdin=theirs, stderr=subprocess.PIPE, text=True
        )
        ours.sendall(said)
        ours.shutdown(socket.SHUT_WR)
        _, told = worker.communicate(timeout=30)

    assert (worker.returncode, why in told, "Traceback" in told) == (code, True, False)
    assert told.count("\n") == (1 if why else 0)


@pytest.mark.parametrize(
    "said", [b"\xff\xff\xff\xff", framed({"kind": "nonsense"}), framed({"kind": "policy", "generation": 0})]
)
async def test_garbage_ends_a_worker_that_serves(said: bytes, tmp_path: Path) -> None:
    """A running worker stops listening and ends with code 1 when it is told what is no message."""
    settings = Running(tmp_path).settings
    process, connection = await launched()
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    writer.write(framed(start(settings, None, 1)))
    message = await read(reader)
    assert message is not None
    assert message["kind"] == "listening"

    writer.write(said)

    assert await asyncio.wait_for(process.wait(), 30) == 1
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(OSError, match=r"refused|No such file"):
        probe.connect(f"{tmp_path}/authz.sock.1")
    writer.close()


def test_nobody_else_starts_a_worker() -> None:
    """From a terminal or a script it says who starts it, and `isthmus --help` does not tell of it."""
    command = [sys.executable, "-m", "controlplane"]
    started = subprocess.run(
        [*command, "authz-worker"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    told = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout

    assert (started.returncode, "--authz-workers" in started.stderr) == (1, True)
    assert "authz-worker" not in told
