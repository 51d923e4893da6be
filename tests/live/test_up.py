"""`isthmus up` as a person runs it: the whole stack in a folder of its own."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "examples" / "servicecatalog" / "manifests" / "sample.yaml"
# Long enough for a busy machine; nothing waits this long unless it is broken.
PATIENCE_SECONDS = 120


@dataclass
class Up:
    """A running `isthmus up`: its folder, its process and what it has printed up to `ready`."""

    folder: Path
    process: subprocess.Popen[str]
    printed: list[str]

    def pid_of(self, name: str) -> int:
        """The process id in the summary line of a program."""
        (line,) = (line for line in self.printed if line.startswith(name) and "  pid " in line)
        return int(line.partition("  pid ")[2].split()[0])

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What kubectl answers with the kubeconfig of this run."""
        return subprocess.run(
            [kubectl_path(), "--kubeconfig", str(self.folder / "kubeconfig"), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            env={**os.environ, "HOME": str(self.folder.parent)},
        )

    def end(self, number: signal.Signals) -> float:
        """Sends a signal and waits; returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE_SECONDS)
        return time.monotonic() - began


def kubectl_path() -> str:
    """The kubectl that `make upstream` built."""
    command = [sys.executable, str(ROOT / "tests" / "upstream" / "build.py"), "--print"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(Path(answer.stdout.strip()) / "kubectl")


def processes_of(folder: Path) -> list[str]:
    """The command lines of all living processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def start(folder: Path, port: int, *options: str) -> subprocess.Popen[str]:
    """`isthmus up` in its own folder, with one stream for all it prints."""
    command = [sys.executable, "-m", "controlplane", "up", "--directory", str(folder), "--port", str(port)]
    return subprocess.Popen(
        [*command, "--concurrency", "1", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Up]:
    """A stack that has said `ready`, ended when the context is left."""
    process = start(folder, free_port(), *options)
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if printed[-1] == "ready":
                break
        logs = [f"{log.name}: {log.read_text()[-2000:]}" for log in (folder / "logs").glob("*.log")]
        assert printed[-1:] == ["ready"], "\n".join([*printed, *logs])
        yield Up(folder, process, printed)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests that leave it as it was."""
    with running(tmp_path_factory.mktemp("up") / "isthmus") as up:
        yield up


def test_it_says_what_runs_and_what_to_try(stack: Up) -> None:
    """The summary names the three programs, the kubeconfig and commands, and ends with the line `ready`."""
    text = "\n".join(stack.printed)

    assert stack.pid_of("control plane") != stack.pid_of("envoy 1.40.") != stack.pid_of("servicecatalog")
    assert f"kubeconfig: {stack.folder}/kubeconfig (contexts admin, alice)" in stack.printed
    assert "registered as v1beta1.servicecatalog.k8s.io" in text
    assert "\nTry:\n" in text


def test_kubectl_works_for_the_admin(stack: Up) -> None:
    """What the summary offers works: discovery, apply and get go through Envoy to the demo API server."""
    resources = stack.kubectl("api-resources", "--api-group=servicecatalog.k8s.io", "-o", "name")
    applied = stack.kubectl("apply", "-f", str(SAMPLE))
    got = stack.kubectl("get", "clusterservicebrokers", "-o", "name")

    assert "clusterservicebrokers.servicecatalog.k8s.io" in resources.stdout.splitlines(), resources.stderr
    assert applied.returncode == 0, applied.stderr
    assert "clusterservicebroker.servicecatalog.k8s.io/demo-broker" in got.stdout.splitlines(), got.stderr


def test_alice_reads_and_does_not_write(stack: Up) -> None:
    """The group developers may get, and nothing more."""
    got = stack.kubectl("--context", "alice", "get", "clusterservicebrokers", "-o", "name")
    deleted = stack.kubectl("--context", "alice", "delete", "clusterservicebroker", "any")

    assert got.returncode == 0, got.stderr
    assert deleted.returncode != 0
    assert 'User "alice" cannot delete resource "clusterservicebrokers"' in deleted.stderr


def test_a_second_start_in_the_same_folder_is_refused(stack: Up) -> None:
    """Two stacks do not share a folder; the second says so and touches nothing."""
    second = start(stack.folder, free_port())
    said, _ = second.communicate(timeout=PATIENCE_SECONDS)

    assert second.returncode == 1
    assert said.startswith(f"another Isthmus (pid {stack.process.pid}) runs in {stack.folder};")
    assert stack.kubectl("get", "clusterservicebrokers").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_within_five_seconds(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end all programs in time, and none is left."""
    with running(tmp_path / "isthmus") as up:
        seconds = up.end(number)

        assert up.process.returncode == 0
        assert seconds < 5
        assert processes_of(tmp_path) == []


def test_starting_again_keeps_the_pki(tmp_path: Path) -> None:
    """A kubeconfig that was copied away goes on working: certificates and the demo's registration are the same."""
    seen = []
    for _ in range(2):
        with running(tmp_path / "isthmus") as up:
            files = [*(up.folder / "pki").iterdir(), *(up.folder / "manifests").iterdir()]
            seen.append({file.name: file.read_bytes() for file in files})

    assert seen[0] == seen[1]


def test_a_killed_envoy_comes_back(tmp_path: Path) -> None:
    """Supervision starts Envoy again, and requests are answered again."""
    with running(tmp_path / "isthmus") as up:
        os.kill(up.pid_of("envoy"), signal.SIGKILL)
        assert up.process.stdout is not None
        ended = up.process.stdout.readline()
        started = up.process.stdout.readline()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := up.kubectl("get", "clusterservicebrokers")).returncode != 0 and time.monotonic() < deadline:
            pass

    assert ended.startswith("envoy 1.40.")
    assert "ended (signal 9, Killed)" in ended
    assert started.startswith("envoy 1.40.")
    assert answer.returncode == 0, answer.stderr


def test_a_killed_up_leaves_no_process(tmp_path: Path) -> None:
    """Even without a chance to say goodbye, nothing survives it."""
    with running(tmp_path / "isthmus") as up:
        ends = [os.pidfd_open(up.pid_of(name)) for name in ("control plane", "envoy", "servicecatalog")]
        up.end(signal.SIGKILL)
        for descriptor in ends:
            ended, _, _ = select.select([descriptor], [], [], 5)
            os.close(descriptor)

            assert ended
        assert processes_of(tmp_path) == []


def test_without_the_demo_the_front_door_answers(tmp_path: Path) -> None:
    """--no-demo runs two programs and registers nothing."""
    with running(tmp_path / "isthmus", "--no-demo") as up:
        assert not any(line.startswith("servicecatalog") for line in up.printed)
        assert list((up.folder / "manifests").iterdir()) == []
        assert up.kubectl("version").returncode == 0


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """A front door that cannot be opened ends at once, and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = start(tmp_path / "isthmus", port)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1
    assert said == f"127.0.0.1:{port} is taken; choose another with --port\n"
