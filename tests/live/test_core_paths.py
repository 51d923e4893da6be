"""Requests for what nobody registered, which find their route late: they are decided about like any other."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend import Backend
from pki import CertificateAuthority
from stack import PATIENCE, Stack

PODS = "/api/v1/namespaces/default/pods"
TOKENS = 'secret-of-root,root,1,"system:masters"\n'


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, dict[str, object], CertificateAuthority]]:
    """A core API server that answers everything, the settings that name it, and the front proxies it believes."""
    folder: Path = tmp_path_factory.mktemp("core")
    servers, proxies = CertificateAuthority("core-servers"), CertificateAuthority("front-proxy")
    certificate, key = servers.issue("core", ip_addresses=["127.0.0.1"], client=False)
    files = {
        "core.crt": certificate,
        "core.key": key,
        "ca.crt": servers.certificate,
        "proxies.crt": proxies.certificate,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with Backend(folder / "core.crt", folder / "core.key", folder / "proxies.crt", name="core") as running:
        yield running, {"server": f"https://127.0.0.1:{running.port}", "caFile": str(folder / "ca.crt")}, proxies


@pytest.fixture(scope="module")
def stack(core: tuple[Backend, dict[str, object], CertificateAuthority]) -> Iterator[Stack]:
    """A front door before it."""
    _, settings, proxies = core
    running = Stack(core=settings, authentication={"tokenFile": "tokens.csv"}, proxies=proxies)
    (running.root / "tokens.csv").write_text(TOKENS)
    with running:
        yield running


@pytest.fixture(scope="module")
def backend(core: tuple[Backend, dict[str, object], CertificateAuthority]) -> Backend:
    """The core API server."""
    return core[0]


def upgraded(stack: Stack, *headers: str) -> bytes:
    """The status line of a WebSocket handshake, and what comes back for "ping" when it was taken up."""
    lines = [
        f"GET {PODS}/p/exec HTTP/1.1",
        "Host: x",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
        *headers,
    ]
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        status = tls.recv(4096).partition(b"\r\n")[0]
        if b" 101 " in status:
            tls.sendall(b"\x81\x84\x00\x00\x00\x00ping")
            return tls.recv(4096)
        return status


def test_an_upgrade_reaches_the_core_api_server(stack: Stack, backend: Backend) -> None:
    """What kubectl exec and port-forward do goes through, for whoever may."""
    answer = upgraded(stack, "Authorization: Bearer secret-of-root")

    assert answer.endswith(b"echo ping")
    assert backend.seen[-1].lines("X-Remote-User") == ["root"]


def test_an_upgrade_without_the_right_to_it_is_refused(stack: Stack, backend: Backend) -> None:
    """An upgrade is authorized like any request."""
    before = len(backend.seen)

    assert b" 403 " in upgraded(stack)
    assert before == len(backend.seen)


def test_impersonation_works_there_too(stack: Stack, backend: Backend) -> None:
    """The core API server sees the impersonated user alone, and a right that is not there is missed."""
    headers = {"Authorization": "Bearer secret-of-root", "Impersonate-User": "carol"}

    refused = stack.status(PODS, stack.http(), **headers)
    allowed = stack.status(PODS, stack.http(), **headers, **{"Impersonate-Group": "system:masters"})

    assert [refused, allowed] == [403, 200]
    seen = backend.seen[-1]
    assert seen.lines("X-Remote-User") == ["carol"]
    assert seen.lines("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert not [name for name, _ in seen.headers if name.lower().startswith("impersonate")]


def test_an_empty_credential_is_no_credential(stack: Stack, backend: Backend) -> None:
    """An Authorization header without anything in it is an anonymous request."""
    response = stack.http().request("GET", stack.url + PODS, headers={"Authorization": ""})

    assert response.status == 403
    assert b"system:anonymous" in response.data
