"""The real Envoy reaches every face of the control plane over mutual TLS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from backend import Backend
from mtls import Mtls
from process import Process, envoy_binary, free_port, until
from stack import Stack, registration


@pytest.fixture(scope="module")
def mtls(tmp_path_factory: pytest.TempPathFactory) -> Mtls:
    """The certificates of everybody."""
    return Mtls(tmp_path_factory.mktemp("mtls"))


@pytest.fixture(scope="module")
def stack(mtls: Mtls) -> Iterator[Stack]:
    """A front door whose Envoy reaches xDS, authorization and discovery over mutual TLS, and an API behind it."""
    faces: dict[str, dict[str, object]] = {
        name: {"listen": f"127.0.0.1:{free_port()}", "tls": mtls.tls()} for name in ("authorization", "discovery")
    }
    faces["xds"] = {"listen": f"127.0.0.1:{free_port()}", "tls": mtls.tls(), "maxConnectionAge": "1s"}
    stack = Stack(settings={**faces, "envoy": mtls.envoy()})
    bootstrap(stack.settings)
    with stack as running, Backend(*running.backend_files("backend"), running.root / "proxies-ca.crt") as backend:
        running.drop("api.yaml", *registration("a.example.com", "v1", backend.port, running.servers.certificate))
        client = running.http("admin", "system:masters")
        until(lambda: running.status("/apis/a.example.com/v1/x", client) == 200, "the API is served")
        yield running


def bootstrap(settings: Path) -> dict[str, object]:
    """What `isthmus bootstrap` prints, which writes Envoy's resource files as well."""
    command = [sys.executable, "-m", "controlplane", "bootstrap", "--config", str(settings), "-o", "json"]
    document: dict[str, object] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return document


def log_of(stack: Stack) -> str:
    """What the control plane has logged so far."""
    assert stack.control_plane is not None
    return stack.control_plane.log.read_text()


def connected(stack: Stack) -> bool:
    """Whether Envoy has a stream to the control plane."""
    return stack.stats(r"^control_plane\.connected_state$") == {"control_plane.connected_state": 1}


def test_requests_are_served_over_mutual_tls(stack: Stack) -> None:
    """Configuration, authorization and discovery all come by connections with a TLS handshake."""
    admin, nobody = stack.http("admin", "system:masters"), stack.http("nobody")

    assert stack.status("/apis/a.example.com/v1/x", admin) == 200
    assert stack.status("/apis/a.example.com/v1/x", nobody) == 403
    assert stack.status("/apis", admin) == 200
    handshakes = stack.stats(r"^cluster\.isthmus/.*\.ssl\.handshake$")
    assert {name for name, count in handshakes.items() if count} == {
        f"cluster.isthmus/{face}.ssl.handshake" for face in ("xds", "authorization", "discovery")
    }


def test_an_old_connection_is_replaced(stack: Stack) -> None:
    """After maxConnectionAge Envoy connects anew, and has its configuration all the while."""
    name = "cluster.isthmus/xds.upstream_cx_total"
    before = stack.stats(f"^{name}$")[name]

    until(lambda: stack.stats(f"^{name}$")[name] > before, "Envoy connects anew")
    assert stack.status("/apis/a.example.com/v1/x", stack.http("admin", "system:masters")) == 200


def test_renewed_certificates_and_authorities_are_taken_over(stack: Stack, mtls: Mtls) -> None:
    """After a rotation both sides are still connected, with nothing left of what was before."""
    mtls.rotate()
    until(lambda: connected(stack), "Envoy is connected")
    mtls.retire()
    name = "cluster.isthmus/xds.ssl.handshake"
    before = stack.stats(f"^{name}$")[name]
    # The first connection after the retirement may have begun before it; the second has not.
    until(lambda: stack.stats(f"^{name}$")[name] >= before + 2, "Envoy connects with the new certificates")
    assert stack.control_plane is not None
    stack.control_plane.stop()
    stack.start_control_plane()
    client = stack.http("late", "system:masters")

    until(lambda: stack.status("/apis/a.example.com/v1/x", client) == 200, "requests are authorized again")
    assert stack.status("/apis", client) == 200
    assert stack.envoy is not None
    assert stack.envoy.running


def test_an_envoy_whose_name_is_not_allowed_gets_nothing(stack: Stack, mtls: Mtls, tmp_path: Path) -> None:
    """A certificate of the right authority is not enough, and the control plane's log says whose it was."""
    mtls.write_pair("stranger", mtls.clients.issue("stranger", dns_names=["stranger.example.org"], server=False))
    settings = tmp_path / "isthmus.yaml"
    document = yaml.safe_load(stack.settings.read_text())
    settings.write_text(yaml.safe_dump({**document, "envoy": mtls.envoy("stranger")}))
    admin = str(stack.root / "stranger.sock")
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps({**bootstrap(settings), "admin": {"address": {"pipe": {"path": admin}}}}))
    command = [envoy_binary(), "-c", str(config), "--disable-hot-restart", "--concurrency", "1"]
    stranger = Process(command, tmp_path / "envoy.log")
    try:
        until(lambda: "stranger.example.org" in log_of(stack), "the control plane says who was refused")
        until(lambda: Path(admin).exists(), "the stranger's Envoy tells its statistics")
        attempts = r"^cluster\.isthmus/xds\.upstream_rq_total$"
        until(lambda: sum(stack.stats(attempts, admin).values()) >= 2, "it has tried twice")
        updates = stack.stats(r"^(cluster_manager\.cds|listener_manager\.lds)\.update_success$", admin)
    finally:
        stranger.stop()

    assert set(updates.values()) == {0}
    assert "xds.tls.allowedNames" in log_of(stack)
