"""A sidecar before an API server in plain HTTP: TLS, authentication and authorization happen in it and nowhere else."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from plain_server import GROUP, THINGS, VERSION, PlainServer
from process import PATIENCE, until
from rbac import grant
from sidecar import Sidecar

READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}


def standalone(sidecar: Sidecar, server: PlainServer) -> Sidecar:
    """The sidecar before that server, with client certificates and a folder of RBAC manifests."""
    manifests = sidecar.root / "manifests"
    manifests.mkdir()
    (manifests / "rights.yaml").write_text(yaml.safe_dump_all(grant("reader", READ, groups=["readers"])))
    authority = sidecar.authority("clients", sidecar.clients)
    options = (*sidecar.before(server.address), f"--client-ca-file={authority}", f"--manifests={manifests}")
    return sidecar.add(*options)


@pytest.fixture(scope="module")
def server() -> Iterator[PlainServer]:
    """A plain API server on loopback."""
    with PlainServer() as running:
        yield running


@pytest.fixture(scope="module")
def sidecar(server: PlainServer) -> Iterator[Sidecar]:
    """A sidecar before it."""
    with standalone(Sidecar(), server) as running:
        yield running


def test_identity_arrives(sidecar: Sidecar, server: PlainServer) -> None:
    """The server is told who asks, one line a group, and nothing that the client has made up."""
    client = sidecar.http("alice", "readers", "odd,group")
    forged = {"X-Remote-User": "root", "X-Remote-Group": "system:masters", "X_Remote_User": "root"}

    answer = client.request("GET", sidecar.url + THINGS, headers=forged)

    assert (answer.status, answer.json()["items"][0]["metadata"]["name"]) == (200, "only")
    seen = server.seen[-1]
    assert seen.lines("X-Remote-User") == ["alice"]
    assert seen.lines("X-Remote-Group") == ["readers", "odd,group", "system:authenticated"]
    assert seen.lines("X_Remote_User") == seen.lines("Authorization") == []
    assert seen.lines("Host") == ["localhost"]


def test_what_is_not_allowed_does_not_arrive(sidecar: Sidecar, server: PlainServer) -> None:
    """No credential, no right, no such API: none of them is seen by the server."""
    before = len(server.seen)
    stranger, nobody = sidecar.http("mallory"), sidecar.http()
    admin = sidecar.http("admin", "system:masters")

    refused = stranger.request("GET", sidecar.url + THINGS)
    assert refused.status == 403
    assert refused.json()["message"] == (
        f'things.{GROUP} is forbidden: User "mallory" cannot list resource "things" in API group "{GROUP}" at the '
        "cluster scope"
    )
    assert nobody.request("GET", sidecar.url + THINGS).status == 403
    assert nobody.request("GET", sidecar.url + THINGS, headers={"Authorization": "Bearer x"}).status == 401
    assert sidecar.http("alice", "readers").request("DELETE", f"{sidecar.url}{THINGS}/only").status == 403
    for path in ("/apis/other.example.com/v1/things", f"/apis/{GROUP}/v2/things", "/api/v1/pods", "/apis/a/b"):
        assert admin.request("GET", sidecar.url + path).status == 404
    assert len(server.seen) == before


def test_discovery_is_the_servers_own(sidecar: Sidecar, server: PlainServer) -> None:
    """What a kube-apiserver asks before it aggregates an API is answered by the server itself, for who may see it."""
    admin = sidecar.http("admin", "system:masters")

    kinds = [
        admin.request("GET", sidecar.url + path).json()["kind"]
        for path in ("/apis", f"/apis/{GROUP}", f"/apis/{GROUP}/{VERSION}")
    ]

    assert kinds == ["APIGroupList", "APIGroup", "APIResourceList"]
    assert [seen.path for seen in server.of("admin")[-3:]] == ["/apis", f"/apis/{GROUP}", f"/apis/{GROUP}/{VERSION}"]
    assert admin.request("GET", f"{sidecar.url}/openapi/v2").status == 404
    assert server.seen[-1].path == "/openapi/v2"


def test_the_server_is_reached_through_the_sidecar_only(sidecar: Sidecar, server: PlainServer) -> None:
    """Nothing listens on the server's port at any address that another machine could reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        outside = probe.getsockname()[0]

    assert outside != "127.0.0.1"
    with socket.socket() as knocking:
        knocking.settimeout(PATIENCE)
        assert knocking.connect_ex((outside, server.port)) != 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE):
        pass


def test_an_upgrade_goes_through(sidecar: Sidecar, server: PlainServer) -> None:
    """What exec and port-forward are made of works without TLS behind it, and the identity is there."""
    context = ssl.create_default_context(cadata=sidecar.servers.certificate.decode())
    pair = sidecar.save("upgrader", sidecar.clients.issue("upgrader", organizations=["readers"], server=False))
    context.load_cert_chain(*pair)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with closing(http.client.HTTPSConnection("127.0.0.1", sidecar.port, timeout=PATIENCE, context=context)) as client:
        client.request("GET", f"{THINGS}/only", headers={**upgrade, **key})

        assert client.getresponse().status == 101
    assert server.seen[-1].lines("X-Remote-User") == ["upgrader"]


def test_rights_follow_the_folder(sidecar: Sidecar, server: PlainServer) -> None:
    """A right that is taken away is gone without a restart."""
    file = sidecar.root / "manifests" / "late.yaml"
    client = sidecar.http("late", "latecomers")
    file.with_suffix(".tmp").write_text(yaml.safe_dump_all(grant("late", READ, groups=["latecomers"])))
    file.with_suffix(".tmp").rename(file)
    until(lambda: client.request("GET", sidecar.url + THINGS).status == 200, "the right is there")

    file.unlink()

    until(lambda: client.request("GET", sidecar.url + THINGS).status == 403, "the right is gone")


def test_it_says_whether_it_is_alive_and_ready(sidecar: Sidecar) -> None:
    """Ready is a sidecar whose Envoy is connected."""
    assert sidecar.probe("/livez")[0] == 200
    status, text = sidecar.probe("/readyz?verbose")
    assert (status, "[+]envoy ok" in text) == (200, True)


def test_it_can_be_asked_how_it_is(sidecar: Sidecar) -> None:
    """What it was started with is written down, for the commands that ask a control plane."""
    assert "isthmus-sidecar" in sidecar.proxies()


def test_a_server_on_a_unix_socket(tmp_path: Path) -> None:
    """Identity arrives there, too; who may open the socket is the file system's to say."""
    with PlainServer(tmp_path / "api.sock") as server, standalone(Sidecar(), server) as sidecar:
        assert sidecar.http("alice", "readers").request("GET", sidecar.url + THINGS).status == 200

        assert server.seen[-1].lines("X-Remote-User") == ["alice"]
        assert sidecar.http("mallory").request("GET", sidecar.url + THINGS).status == 403
        assert len(server.seen) == 1


def test_a_server_that_is_spoken_to_in_http2() -> None:
    """With --http2 the connection begins with the preface of HTTP/2 (RFC 9113, section 3.4) and no upgrade."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    # SETTINGS, then HEADERS of stream 1 with END_STREAM and END_HEADERS: `:status: 200` is entry 8 of HPACK's table.
    answer = bytes.fromhex("000000040000000000") + bytes.fromhex("00000101050000000188")
    received: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(len(preface), socket.MSG_WAITALL))
            connection.sendall(answer)
            while connection.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        sidecar = Sidecar()
        options = sidecar.before(f"127.0.0.1:{listener.getsockname()[1]}")
        authority = sidecar.authority("clients", sidecar.clients)
        with sidecar.add(*options, "--http2", f"--client-ca-file={authority}"):
            status = sidecar.http("admin", "system:masters").request("GET", sidecar.url + THINGS).status
        thread.join(PATIENCE)

    assert (received, status) == ([preface], 200)


def test_what_is_under_way_when_it_is_asked_to_end_goes_on(server: PlainServer) -> None:
    """A line sent after the signal still arrives; once the client has gone, it ends."""
    with standalone(Sidecar(), server) as sidecar:
        client = sidecar.http("alice", "readers")
        answer = client.request("GET", f"{sidecar.url}{THINGS}?watch=1", preload_content=False)
        until(lambda: server.watchers == 1, "the watch is open")

        sidecar.signal()
        until(lambda: "stopping" in sidecar.log.read_text(), "it has heard")
        server.emit("late")

        assert answer.readline() == b"late\n"
        answer.close()
        until(lambda: not sidecar.running, "it has ended")
