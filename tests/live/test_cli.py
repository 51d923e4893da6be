"""The command `isthmus` against a control plane with the real Envoy: a thousand APIServices come and go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from backend import Backend
from stack import ROOT, Stack, registration, until

NUMBER = 1000
# More than half of what an Envoy holds is withheld from removal until somebody confirms it.
FEW = 400


@pytest.fixture
def socket() -> Iterator[Path]:
    """Where the config API listens."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-cli-"))
    yield folder / "config.sock"
    shutil.rmtree(folder)


@pytest.fixture
def stack(socket: Path) -> Iterator[Stack]:
    """A front door without manifests."""
    settings = {"store": {"sqlite": {"path": "isthmus.db"}}, "config": {"listen": f"unix:{socket}"}}
    with Stack(settings=settings) as running:
        yield running


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    """An API server."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        yield running


def isthmus(stack: Stack, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, with the stack's settings file, which says where its config API is."""
    command = [sys.executable, "-m", "controlplane", verb, "--config", str(stack.settings), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def path_of(number: int) -> str:
    """A path below one of the APIs."""
    return f"/apis/g{number}.example.com/v1/things"


def manifests(stack: Stack, backend: Backend) -> Path:
    """A folder with two in it, and a file for each API; by the names of the files, what all share comes last."""
    folder = stack.root / "apis"
    for number in range(NUMBER):
        api, *shared = registration(f"g{number}.example.com", "v1", backend.port, stack.servers.certificate)
        place = folder / ("few" if number < FEW else "rest")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:04}.yaml").write_text(yaml.safe_dump(api))
    (folder / "rest" / "shared.yaml").write_text(yaml.safe_dump_all(shared))
    return folder


def test_a_thousand_applied_are_served_and_a_thousand_deleted_are_not(stack: Stack, backend: Backend) -> None:
    """Each is served when the command has ended, and gone when the other has; nothing differs in between."""
    http = stack.http("admin", "system:masters")
    folder = manifests(stack, backend)
    names = [f"v1.g{number}.example.com" for number in range(NUMBER)]
    kind = "apiservice.apiregistration.k8s.io"

    applied = isthmus(stack, "apply", "-R", "-f", str(folder), "--wait")
    assert (0, "acknowledged by the connected proxy\n") == (applied.returncode, applied.stderr)
    assert [
        "service/backend created",
        "endpointslice.discovery.k8s.io/backend created",
        *(f"{kind}/{name} created" for name in names),
    ] == applied.stdout.splitlines()
    assert {200} == {stack.status(path_of(number), http) for number in range(NUMBER)}

    again = isthmus(stack, "apply", "-R", "-f", str(folder), "--wait")
    assert (0, NUMBER + 2) == (again.returncode, again.stdout.count(" unchanged\n"))
    same = isthmus(stack, "diff", "-R", "-f", str(folder))
    assert (0, "", "") == (same.returncode, same.stdout, same.stderr)

    few = isthmus(stack, "delete", "-f", str(folder / "few"), "--wait")
    assert (0, "acknowledged by the connected proxy\n") == (few.returncode, few.stderr)
    assert [f'{kind} "{name}" deleted' for name in names[:FEW]] == few.stdout.splitlines()
    assert {404} == {stack.status(path_of(number), http) for number in range(FEW)}

    rest = isthmus(stack, "delete", "-f", str(folder / "rest"), "--wait", "--timeout", "2s")
    left = isthmus(stack, "get", "apiservices,services,endpointslices", "-A", "-o", "name")
    assert (1, NUMBER - FEW + 2) == (rest.returncode, len(rest.stdout.splitlines()))
    assert "isthmus confirm-removals" in rest.stderr
    assert (0, "") == (left.returncode, left.stdout)

    assert 0 == isthmus(stack, "confirm-removals").returncode
    until(lambda: {404} == {stack.status(path_of(number), http) for number in range(NUMBER)}, "all are gone")
