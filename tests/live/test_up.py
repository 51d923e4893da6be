"""`isthmus up` as a person runs it: the whole stack in a folder of its own."""

from __future__ import annotations

import os
import select
import shlex
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from process import ROOT, free_port
from up import PATIENCE_SECONDS, Up, isthmus, processes_of, running, start

pytestmark = pytest.mark.live

SAMPLE = ROOT / "examples" / "servicecatalog" / "manifests" / "sample.yaml"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests that leave it as it was."""
    with running(tmp_path_factory.mktemp("up") / "isthmus") as up:
        yield up


def test_it_says_what_runs_and_what_to_try(stack: Up) -> None:
    """The summary names the programs, the kubeconfig, the config API and commands, and ends with the line `ready`."""
    text = "\n".join(stack.printed)

    assert stack.pid_of("control plane") != stack.pid_of("envoy 1.40.") != stack.pid_of("servicecatalog")
    assert f"kubeconfig: {stack.folder}/kubeconfig (contexts admin, alice)" in stack.printed
    assert f"config API: {stack.folder}/run/config.sock (gRPC)" in stack.printed
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


def test_the_command_to_try_works(stack: Up) -> None:
    """What the summary offers besides kubectl is pasted as it stands, and shows the demo."""
    (command,) = (line.strip() for line in stack.printed if line.endswith(f"--config {stack.folder}/config.yaml"))
    answer = subprocess.run(
        shlex.split(command), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT
    )

    assert answer.returncode == 0, answer.stderr
    assert "v1beta1.servicecatalog.k8s.io" in answer.stdout


def test_the_config_api_is_its_owners_alone(stack: Up) -> None:
    """Neither the socket nor the database can be opened by anybody else."""
    private = [stack.folder / "run" / "config.sock", *stack.folder.glob("isthmus.db*")]

    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (stack.folder, stack.folder / "run")} == {0o700}


@pytest.mark.parametrize("name", ["short", "long" * 30])
def test_what_clients_write_is_kept(tmp_path: Path, name: str) -> None:
    """An API that is registered is there again after a restart, also where the path is too long for a socket."""
    here = tmp_path / name
    here.mkdir()
    manifest = here / "api.yaml"
    spec = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10}
    service = {"namespace": "default", "name": "my-api", "port": 443}
    api = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.example.com"}}
    manifest.write_text(yaml.safe_dump({**api, "spec": {**spec, "service": service}}))
    with running(here / ".isthmus", "--no-demo"):
        applied = isthmus(here, "apply", "-f", str(manifest), "--wait", home=tmp_path)
    with running(here / ".isthmus", "--no-demo"):
        got = isthmus(here, "get", "apiservices", "-o", "name", home=tmp_path)

    assert applied.stdout.startswith("apiservice.apiregistration.k8s.io/v1.example.com created"), applied.stderr
    assert got.stdout == "apiservice.apiregistration.k8s.io/v1.example.com\n", got.stderr


def test_settings_that_somebody_has_changed_are_used(tmp_path: Path) -> None:
    """Another port is where it listens, and the file is not touched."""
    folder, port = tmp_path / "isthmus", free_port()
    with running(folder, "--no-demo"):
        pass
    config = folder / "config.yaml"
    document = yaml.safe_load(config.read_text())
    document["frontDoor"]["port"] = port
    config.write_text(yaml.safe_dump(document))
    text = config.read_text()

    with running(folder, "--no-demo", with_port=False) as up:
        assert any(line.endswith(f"https://127.0.0.1:{port}") for line in up.printed)
        assert any(line.startswith(f"settings:   {config} (changed by you") for line in up.printed)
        assert up.kubectl("version").returncode == 0
        assert config.read_text() == text


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
