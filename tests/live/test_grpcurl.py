"""The config API as grpcurl sees it: a client that has no protos, and learns by reflection what it can call."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backend import Backend
from stack import Stack, registration
from upstream import build

SERVICE = "controlplane.api.v1.ConfigService"
GROUP = "grpcurl.example.com"
PATH = f"/apis/{GROUP}/v1/things"
TYPE = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
REFERENCE = {"type": TYPE, "name": f"v1.{GROUP}"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path."""
    made = Path(tempfile.mkdtemp(prefix="isthmus-grpcurl-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    """A front door without manifests, and a config API on a socket."""
    listen = f"unix:{folder / 'config.sock'}"
    with Stack(settings={"store": {"sqlite": {"path": "isthmus.db"}}, "config": {"listen": listen}}) as running:
        yield running


def grpcurl(folder: Path, *arguments: str, request: object = None) -> subprocess.CompletedProcess[str]:
    """What grpcurl says; a `request` is given to it as JSON on its standard input."""
    data = () if request is None else ("-d", "@")
    command = [build.binary("grpcurl"), "-plaintext", *data, f"unix://{folder / 'config.sock'}", *arguments]
    text = "" if request is None else json.dumps(request)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def called(folder: Path, method: str, request: object) -> dict[str, Any]:
    """The answer to a call, which must succeed."""
    done = grpcurl(folder, f"{SERVICE}/{method}", request=request)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_finds_the_service(stack: Stack, folder: Path) -> None:
    """The server lists what it serves, and its health and reflection with it."""
    done = grpcurl(folder, "list")

    assert {SERVICE, "grpc.health.v1.Health"} <= set(done.stdout.split()), done.stderr


def test_it_describes_calls_and_messages(stack: Stack, folder: Path) -> None:
    """Every call of the proto file is told of, and so are the fields of a message."""
    service, message = (grpcurl(folder, "describe", name) for name in (SERVICE, "controlplane.api.v1.ApplyRequest"))

    for call in ("Apply", "BatchApply", "Create", "Replace", "Patch", "Delete", "Get", "List"):
        assert f"rpc {call} ( .controlplane.api.v1.{call}Request )" in service.stdout, service.stderr
    assert "rpc Watch ( .controlplane.api.v1.WatchRequest ) returns ( stream " in service.stdout
    assert "string json = 1;" in message.stdout, message.stderr


def test_what_it_applies_is_served(stack: Stack, folder: Path) -> None:
    """An API that is applied and waited for answers through Envoy, is read back, and is gone when it is deleted."""
    http = stack.http("admin", "system:masters")
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        objects = registration(GROUP, "v1", backend.port, stack.servers.certificate)
        options = {"fieldManager": "grpcurl", "wait": "30s"}
        applied = called(folder, "BatchApply", {"json": [json.dumps(each) for each in objects], "options": options})
        got = called(folder, "Get", {"reference": REFERENCE})
        listed = called(folder, "List", {"type": TYPE})

        assert 200 == stack.status(PATH, http), applied
        assert GROUP == json.loads(got["json"])["spec"]["group"]
        assert [f"v1.{GROUP}"] == [each["reference"]["name"] for each in listed["objects"]]

        called(folder, "Delete", {"reference": REFERENCE, "options": {"wait": "30s"}})
        assert 404 == stack.status(PATH, http)


def test_it_is_told_what_was_wrong(stack: Stack, folder: Path) -> None:
    """A refused call ends with the code's number, 64 more, and the message and its details are shown."""
    missing = grpcurl(folder, f"{SERVICE}/Get", request={"reference": {"type": TYPE, "name": "v1.none.example.com"}})
    wrong = grpcurl(folder, f"{SERVICE}/Apply", request={"json": "{}", "options": {"fieldManager": "grpcurl"}})

    assert (missing.returncode, wrong.returncode) == (64 + 5, 64 + 3)
    assert "Code: NotFound" in missing.stderr
    assert 'apiservices.apiregistration.k8s.io "v1.none.example.com" not found' in missing.stderr
    assert "Code: InvalidArgument" in wrong.stderr
