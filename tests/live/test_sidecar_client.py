"""A sidecar beside a client: one local endpoint, and API servers that see the sidecar's credential and nothing else."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import kubectl
import pytest
import yaml
from backend import Backend, Seen
from kube import KubeApiServer
from plain_server import GROUP, THINGS, VERSION
from process import PATIENCE, until
from sidecar import Sidecar
from stack import registration

TOKEN = "swordfish"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SERVICE = "backend.default.svc"


@pytest.fixture(scope="module")
def sidecar(kube: KubeApiServer) -> Iterator[Sidecar]:
    """A sidecar with a client certificate and a token, before a kube-apiserver; its manifests are a folder."""
    made = Sidecar()
    certificate, key = made.save("robot", kube.clients.issue("robot", organizations=["robots"], server=False))
    (made.root / "manifests").mkdir()
    (made.root / "token").write_text(f"{TOKEN}\n")
    options = {
        "server": kube.url,
        "ca-file": kube.ca_file,
        "certificate-file": certificate,
        "private-key-file": key,
        "token-file": made.root / "token",
        "listen": f"127.0.0.1:{made.port}",
        "manifests": made.root / "manifests",
    }
    with made.add(*(f"--{name}={value}" for name, value in options.items())) as running:
        yield running


@pytest.fixture(scope="module")
def backend(sidecar: Sidecar, kube: KubeApiServer) -> Iterator[Backend]:
    """An API server of its own, which is registered in the sidecar's folder."""
    pair = sidecar.save("backend", sidecar.servers.issue("backend", dns_names=[SERVICE], client=False))
    with Backend(*pair, sidecar.authority("clients", kube.clients)) as running:
        objects = registration(GROUP, VERSION, running.port, sidecar.servers.certificate)
        scratch = sidecar.root / "registration"
        scratch.write_text(yaml.safe_dump_all(objects))
        scratch.rename(sidecar.root / "manifests" / "registration.yaml")
        until(lambda: asked(sidecar, THINGS)[0] == 200, "it is served")
        yield running


def asked(sidecar: Sidecar, path: str, host: str = "localhost", **headers: str) -> tuple[int, str]:
    """Status and body of a GET from the local endpoint, without TLS."""
    with closing(http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=PATIENCE)) as connection:
        connection.request("GET", path, headers={"Host": host, **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()


def seen(backend: Backend) -> list[Seen]:
    """The requests of the tests; discovery comes whenever it likes."""
    return [each for each in list(backend.seen) if each.path.startswith(THINGS)]


def test_the_server_sees_the_sidecars_credential(sidecar: Sidecar, backend: Backend) -> None:
    """Its certificate and its token arrive; what the client says of itself does not."""
    forged = {"Authorization": "Bearer mine", "X-Remote-User": "root", "X-Remote-Group": "system:masters"}

    assert asked(sidecar, THINGS, **forged)[0] == 200

    arrived = seen(backend)[-1]
    assert (arrived.client, arrived.lines("Authorization")) == ("robot", [f"Bearer {TOKEN}"])
    assert arrived.lines("X-Remote-User") == arrived.lines("X-Remote-Group") == []


def test_impersonation_is_for_the_server_to_allow(sidecar: Sidecar, backend: Backend) -> None:
    """Impersonate-User is passed on as it is."""
    assert asked(sidecar, THINGS, **{"Impersonate-User": "alice"})[0] == 200

    assert seen(backend)[-1].lines("Impersonate-User") == ["alice"]


def test_a_new_token_is_shown_without_a_restart(sidecar: Sidecar, backend: Backend) -> None:
    """The file is replaced, as a projected service account token is."""
    file = sidecar.root / "token"
    try:
        for token in ("second", TOKEN):
            file.with_suffix(".new").write_text(token)
            file.with_suffix(".new").rename(file)

            def shown(token: str = token) -> bool:
                return asked(sidecar, THINGS)[0] == 200 and seen(backend)[-1].lines("Authorization") == [
                    f"Bearer {token}"
                ]

            until(shown, f"{token} is shown")
    finally:
        file.write_text(TOKEN)


def test_what_is_not_registered_goes_to_the_core(sidecar: Sidecar, backend: Backend) -> None:
    """The kube-apiserver knows the certificate: it names the robot when it refuses."""
    status, body = asked(sidecar, "/api/v1/namespaces/default/secrets", Authorization="Bearer mine")

    assert status == 403
    assert 'User "robot" cannot list resource "secrets"' in json.loads(body)["message"]


def test_one_endpoint_lists_the_apis_of_all(sidecar: Sidecar, backend: Backend) -> None:
    """Groups of the registered server and of the core are in one list."""

    def groups() -> set[str]:
        return {group["name"] for group in json.loads(asked(sidecar, "/apis")[1])["groups"]}

    until(lambda: {GROUP, "apps"} <= groups(), "both are listed")
    discovering = [each for each in list(backend.seen) if each.path == "/apis"]
    assert discovering
    assert all(each.lines("Authorization") and not each.lines("X-Remote-User") for each in discovering)


def test_a_credential_among_websocket_protocols_is_refused(sidecar: Sidecar, backend: Backend) -> None:
    """An upgrade without one goes through, over HTTP/1.1."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
    protocol = "v4.channel.k8s.io"

    with_token = {**upgrade, "Sec-WebSocket-Protocol": f"{protocol}, base64url.bearer.authorization.k8s.io.eA"}
    assert asked(sidecar, f"{THINGS}/exec", **with_token)[0] == 400
    assert asked(sidecar, f"{THINGS}/exec", **upgrade, **{"Sec-WebSocket-Protocol": protocol})[0] == 101
    assert seen(backend)[-1].lines("Authorization") == [f"Bearer {TOKEN}"]


def test_it_can_be_asked_how_it_is(sidecar: Sidecar) -> None:
    """What it was started with is written down, for the commands that ask a control plane."""
    assert "isthmus-sidecar" in sidecar.proxies()


def test_kubectl_works_through_it(sidecar: Sidecar, kube: KubeApiServer) -> None:
    """A kubeconfig with nothing but the endpoint's address is enough."""
    config = sidecar.root / "client.kubeconfig"
    cluster = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{sidecar.port}"}}
    contexts = [{"name": "it", "context": {"cluster": "it"}}]
    document = {"apiVersion": "v1", "kind": "Config", "current-context": "it", "clusters": [cluster]}
    config.write_text(yaml.safe_dump({**document, "contexts": contexts}))

    who = kubectl.run(config, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")

    assert (who.stdout, who.stderr) == ("robot", "")


@pytest.mark.parametrize("host", ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.evil.example.com:80"])
def test_a_page_of_another_host_cannot_use_it(host: str, sidecar: Sidecar, backend: Backend) -> None:
    """A browser that was led here by DNS says the name of the page, and is refused."""
    before = len(seen(backend))

    status, body = asked(sidecar, THINGS, host)

    assert (status, json.loads(body)["reason"]) == (403, "Forbidden")
    assert len(seen(backend)) == before


def test_it_listens_on_a_unix_socket_for_its_owner(kube: KubeApiServer, tmp_path: Path) -> None:
    """With a path no port is open, and others may not connect."""
    path = tmp_path / "kube.sock"
    made = Sidecar()
    certificate, key = made.save("robot", kube.clients.issue("robot", server=False))
    options = {"server": kube.url, "ca-file": kube.ca_file, "certificate-file": certificate, "private-key-file": key}
    with made.add(*(f"--{name}={value}" for name, value in options.items()), f"--listen=unix:{path}"):

        def answered() -> bool:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(path))
                client.sendall(b"GET /version HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
                with closing(http.client.HTTPResponse(client)) as response:
                    response.begin()
                    return response.status == 200

        until(answered, "it answers")
        assert path.stat().st_mode & 0o007 == 0
