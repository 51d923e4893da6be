"""Two real Envoys in two node groups, on one machine and one control plane."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import urllib3
import yaml
from backend import Backend
from process import Process, envoy_binary, free_port, until
from stack import Stack, registration

INNER = "/apis/inner.example.com/v1/things"
OUTER = "/apis/outer.example.com/v1/things"


@dataclass(frozen=True)
class Doors:
    """The front doors of both groups, and one backend behind them."""

    stack: Stack
    backend: Backend
    outer_port: int
    client: urllib3.PoolManager

    def inner(self, path: str) -> int:
        """The status of a GET at the Envoy of the group "inner"."""
        return self.stack.status(path, self.client)

    def outer(self, path: str) -> int:
        """The status of a GET at the Envoy of the group "outer"."""
        return self.client.request("GET", f"https://127.0.0.1:{self.outer_port}{path}").status

    def register(self, group: str, door: str) -> None:
        """Registers <group>.example.com/v1 with the label that gives it to a node group."""
        api, *rest = registration(f"{group}.example.com", "v1", self.backend.port, self.stack.servers.certificate)
        metadata = {"name": f"v1.{group}.example.com", "labels": {"example.com/door": door}}
        self.stack.drop(f"{group}.yaml", {**api, "metadata": metadata}, *(rest if group == "inner" else ()))


@contextlib.contextmanager
def envoy(stack: Stack, cluster: str) -> Iterator[Process]:
    """An Envoy of that node.cluster, started with what `isthmus bootstrap` prints."""
    options = ["--config", str(stack.settings), "--node-id", f"{cluster}-1", "--node-cluster", cluster, "-o", "json"]
    command = [sys.executable, "-m", "controlplane", "bootstrap", *options]
    printed = subprocess.run(command, check=True, capture_output=True)
    admin = {"address": {"pipe": {"path": str(stack.root / f"{cluster}.sock")}}}
    config = stack.root / f"{cluster}.json"
    config.write_text(json.dumps({**json.loads(printed.stdout), "admin": admin}))
    command = [envoy_binary(), "-c", str(config), "--disable-hot-restart", "--concurrency", "1"]
    process = Process(command, stack.root / f"{cluster}.log")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """A control plane with two groups, an Envoy in each, and an API for each."""
    stack, outer_port = Stack(), free_port()
    groups = [
        {
            "name": "outer",
            "nodes": {"cluster": "outer"},
            "apiServices": {"matchLabels": {"example.com/door": "outer"}},
            "frontDoor": {"port": outer_port},
        },
        {
            "name": "inner",
            "nodes": {"cluster": "test"},
            "apiServices": {
                "matchExpressions": [{"key": "example.com/door", "operator": "NotIn", "values": ["outer"]}]
            },
        },
    ]
    document = yaml.safe_load(stack.settings.read_text())
    stack.settings.write_text(yaml.safe_dump({**document, "nodeGroups": groups}))
    with (
        stack,
        Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend,
        envoy(stack, "outer"),
    ):
        running = Doors(stack, backend, outer_port, stack.http("admin", "system:masters"))
        running.register("inner", "inner")
        running.register("outer", "outer")
        until(lambda: running.inner(INNER) == 200, "the inner API is served")
        until(lambda: answers(running) and running.outer(OUTER) == 200, "the outer API is served")
        yield running


def answers(doors: Doors) -> bool:
    """Whether the second front door listens yet."""
    try:
        doors.outer("/livez")
    except urllib3.exceptions.HTTPError:
        return False
    return True


def test_each_envoy_serves_the_apis_of_its_group(doors: Doors) -> None:
    """What is registered for the other group is not found, while both have what every front door has."""
    assert (200, 404) == (doors.inner(INNER), doors.inner(OUTER))
    assert (404, 200) == (doors.outer(INNER), doors.outer(OUTER))
    assert (200, 200) == (doors.inner("/apis"), doors.outer("/apis"))


def test_the_control_plane_tells_of_the_envoys_of_all_groups(doors: Doors) -> None:
    """It is ready once its groups have their configuration, and each proxy is measured by that of its own group."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(doors.stack.root / "metrics.sock"))
    connection.request("GET", "/readyz")
    ready = connection.getresponse().status
    connection.close()

    def states() -> dict[str, str]:
        command = [sys.executable, "-m", "controlplane", "proxies", "--config", str(doors.stack.settings), "-o", "json"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return {proxy["nodeId"]: proxy["state"] for proxy in told["proxies"]}

    assert 200 == ready
    until(lambda: states() == {"test": "SYNCED", "outer-1": "SYNCED"}, "both are in step")


def test_an_envoy_holds_nothing_of_the_other_group(doors: Doors) -> None:
    """One scope for its API and one for the rest, by Envoy's own count."""
    scopes = r"^http\.front_door\.scoped_rds\.front-door\.all_scopes$"
    one = doors.stack.stats(scopes)
    other = doors.stack.stats(scopes, str(doors.stack.root / "outer.sock"))

    assert [2] == list(one.values()) == list(other.values())


def test_a_changed_label_moves_an_api_from_one_envoy_to_the_other(doors: Doors) -> None:
    """Neither answers anything but 200 and 404 on the way, there and back."""
    seen: set[int] = set()

    def moved(to_outer: bool) -> bool:
        statuses = doors.inner(INNER), doors.outer(INNER)
        seen.update(statuses)
        return statuses == ((404, 200) if to_outer else (200, 404))

    for door in ("outer", "inner") * 3:
        doors.register("inner", door)
        until(lambda door=door: moved(door == "outer"), f"the API is served by {door}")

    assert {200, 404} == seen


def test_an_envoy_of_no_group_gets_nothing(doors: Doors) -> None:
    """The control plane's log says which Envoy it was and what groups look for."""
    assert doors.stack.control_plane is not None
    log = doors.stack.control_plane.log
    refused = (
        'node "stranger-1" with cluster "stranger" fits no node group (outer: cluster "outer"; inner: cluster "test")'
    )
    with envoy(doors.stack, "stranger"):
        until(lambda: refused in log.read_text(), "it is refused")
        updates = doors.stack.stats(r"^(cluster_manager\.cds|listener_manager\.lds)\.update_success$", stranger(doors))

    assert {0} == set(updates.values())


def stranger(doors: Doors) -> str:
    """The stranger's admin socket, once it is there."""
    path = doors.stack.root / "stranger.sock"
    until(path.exists, "the stranger's Envoy tells its statistics")
    return str(path)
