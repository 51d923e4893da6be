"""What clients and backends see of one front door: the real Envoy, real TLS backends."""

from __future__ import annotations

import base64
import datetime
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from backend import Backend, Seen
from pki import CertificateAuthority
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
API = f"/apis/{GROUP}/v1"
TOKENS = 'secret-of-bob,bob,42,"developers,a,b"\n'
DEVELOPERS_MAY_READ = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "echo-reader"},
        "rules": [{"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "echo-reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "echo-reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "developers"}],
    },
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A front door that knows the token of bob."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.csv"
    tokens.write_text(TOKENS)
    with Stack(authentication={"tokenFile": str(tokens)}) as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend registered as echo.example.com/v1, which developers may read."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        objects = registration(GROUP, "v1", running.port, stack.servers.certificate)
        stack.drop("echo.yaml", *objects, *DEVELOPERS_MAY_READ)
        admin = stack.http("admin", "system:masters")
        until(lambda: stack.status(f"{API}/things", admin) == 200, "the backend is served")
        yield running


def seen_by(backend: Backend, stack: Stack, client: urllib3.PoolManager, **headers: str) -> Seen:
    """What the backend saw of one GET that was answered 200."""
    response = client.request("GET", f"{stack.url}{API}/things", headers=headers)
    assert response.status == 200, response.data
    return backend.seen[-1]


def status_of(response: urllib3.BaseHTTPResponse) -> dict[str, object]:
    """The Status object in the body."""
    body = json.loads(response.data)
    assert isinstance(body, dict)
    assert body["kind"] == "Status"
    assert body["apiVersion"] == "v1"
    assert body["status"] == "Failure"
    assert response.status == body["code"]
    return body


def test_each_group_is_a_header_line_of_its_own(stack: Stack, backend: Backend) -> None:
    """A user with three groups, one with a comma in its name, arrives with each group on its own line."""
    client = stack.http("carol", "developers", "team-a", "odd,one")

    seen = seen_by(backend, stack, client)

    assert seen.lines("X-Remote-User") == ["carol"]
    assert seen.lines("X-Remote-Group") == ["developers", "team-a", "odd,one", "system:authenticated"]
    assert seen.client == "front-proxy-client"


def test_forged_identity_headers_never_arrive(stack: Stack, backend: Backend) -> None:
    """Whatever a client says about identity or routing is gone, in any spelling, and so is its credential."""
    forged = {
        "X-Remote-User": "root",
        "x_remote_user": "root",
        "X-Remote_Group": "system:masters",
        "X-Remote-Group": "system:masters",
        "x-remote-uid": "0",
        "X-Remote-Extra-Scopes": "all",
        "x_remote_extra_scopes": "all",
        "X-Isthmus-Route": "/apis/other.example.com/v1",
        "X_Isthmus_Alpn": "h2",
        "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
        "Authorization": "Bearer secret-of-bob",
    }

    seen = seen_by(backend, stack, stack.http(), **forged)

    assert seen.lines("X-Remote-User") == ["bob"]
    assert seen.lines("X-Remote-Uid") == ["42"]
    assert seen.lines("X-Remote-Group") == ["developers", "a", "b", "system:authenticated"]
    arrived = {name.lower().replace("_", "-") for name, _ in seen.headers}
    assert {"x-remote-user", "x-remote-uid", "x-remote-group"} == {
        name for name in arrived if name.startswith(("x-remote", "x-isthmus", "x-envoy", "authorization"))
    }


def test_a_client_certificate_says_which_credential_it_was(stack: Stack, backend: Backend) -> None:
    """As in kube-apiserver, the certificate's SHA-256 travels as an extra of the user."""
    seen = seen_by(backend, stack, stack.http("carol", "developers"))

    (extra,) = seen.lines("X-Remote-Extra-Authentication.kubernetes.io%2Fcredential-Id")
    assert extra.startswith("X509SHA256=")


def test_what_rbac_does_not_grant_is_refused_in_kube_apiservers_words(stack: Stack, backend: Backend) -> None:
    """A developer may list things and may not delete one."""
    client = stack.http("carol", "developers")
    before = len(backend.seen)

    response = client.request("DELETE", f"{stack.url}{API}/namespaces/ns/things/one")

    body = status_of(response)
    assert response.status == 403
    assert body["reason"] == "Forbidden"
    assert body["message"] == (
        'things.echo.example.com "one" is forbidden: User "carol" cannot delete resource "things"'
        ' in API group "echo.example.com" in the namespace "ns"'
    )
    assert before == len(backend.seen)


def test_anonymous_requests_are_authorized_as_such(stack: Stack, backend: Backend) -> None:
    """Without credentials the user is system:anonymous, who may see /version and nothing of the APIs."""
    client = stack.http()

    assert stack.status("/version", client) == 200
    body = status_of(client.request("GET", f"{stack.url}{API}/things"))
    assert str(body["message"]).startswith('things.echo.example.com is forbidden: User "system:anonymous" cannot list')


def pair_of(stack: Stack, name: str, issued: tuple[bytes, bytes]) -> tuple[Path, Path]:
    """The certificate and key as files."""
    certificate, key = stack.root / f"{name}.crt", stack.root / f"{name}.key"
    certificate.write_bytes(issued[0])
    key.write_bytes(issued[1])
    return certificate, key


@pytest.fixture(scope="module")
def bad_pairs(stack: Stack) -> dict[str, tuple[Path, Path]]:
    """Certificates that must not be believed."""
    masters = ["system:masters"]
    expired = stack.clients.issue("expired", organizations=masters, server=False, lifetime=datetime.timedelta(hours=-1))
    return {
        "of another authority": pair_of(
            stack, "forged", CertificateAuthority("clients").issue("evil", organizations=masters, server=False)
        ),
        "expired": pair_of(stack, "expired", expired),
        "for servers only": pair_of(
            stack, "server-only", stack.clients.issue("srv", organizations=masters, client=False)
        ),
    }


@pytest.mark.parametrize("which", ["of another authority", "expired", "for servers only"])
def test_a_certificate_that_cannot_be_verified_is_401_and_not_anonymous(
    which: str, stack: Stack, backend: Backend, bad_pairs: dict[str, tuple[Path, Path]]
) -> None:
    """Even for what anonymous users may see, a bad certificate is answered 401, and the handshake works."""
    client = stack.http(pair=bad_pairs[which])
    before = len(backend.seen)

    for path in (f"{API}/things", "/version"):
        response = client.request("GET", stack.url + path)
        body = status_of(response)
        assert (response.status, body["reason"], body["message"]) == (401, "Unauthorized", "Unauthorized"), path
    assert before == len(backend.seen)


def test_a_good_token_counts_beside_a_bad_certificate(
    stack: Stack, backend: Backend, bad_pairs: dict[str, tuple[Path, Path]]
) -> None:
    """One authenticator's failure does not stop another, as in kube-apiserver."""
    client = stack.http(pair=bad_pairs["of another authority"])

    seen = seen_by(backend, stack, client, Authorization="Bearer secret-of-bob")

    assert seen.lines("X-Remote-User") == ["bob"]


def test_a_wrong_token_is_401(stack: Stack, backend: Backend) -> None:
    """An unknown token is not anonymous."""
    response = stack.http().request("GET", f"{stack.url}{API}/things", headers={"Authorization": "Bearer nope"})

    assert status_of(response)["reason"] == "Unauthorized"
    assert response.status == 401


def test_a_resumed_session_is_no_way_around_verification(
    stack: Stack, backend: Backend, bad_pairs: dict[str, tuple[Path, Path]]
) -> None:
    """The listener resumes no session, so every connection has its certificate verified."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*bad_pairs["of another authority"])
    session = None
    for _ in range(2):
        with (
            socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
        ):
            tls.sendall(f"GET {API}/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert b" 401 " in tls.recv(4096)
            assert not tls.session_reused
            session = tls.session


def raw(stack: Stack, pair: tuple[Path, Path], target: str, headers: str = "") -> bytes:
    """The start of the answer to a request whose target is sent exactly as it is."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    context.load_cert_chain(*pair)
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
        return b"".join(iter(lambda: tls.recv(65536), b""))


@pytest.mark.parametrize(
    "target",
    [
        f"/apis/{GROUP}%2Fv1/things",
        f"/apis%2f{GROUP}/v1/things",
        f"/apis/{GROUP}/v1/things%5Cx",
        f"/apis/{GROUP}/v1%20/things",
        f"/apis/{GROUP}/v1/things/%00",
        f"/apis/{GROUP}/v1/things/%zz",
        f"/apis/{GROUP}/v1/%252e%252e%2fx",
    ],
)
def test_a_path_with_more_than_one_reading_is_400(target: str, stack: Stack, backend: Backend) -> None:
    """What routing, authorization and the backend could read differently is refused, and the backend sees nothing."""
    before = len(backend.seen)

    answer = raw(stack, stack.user("admin", "system:masters"), target)

    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b'"Status"' in answer
    assert before == len(backend.seen)


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        (f"/apis/x/../{GROUP}//v1/./things?b=2&a=1", f"/apis/{GROUP}/v1/things?b=2&a=1"),
        (f"/apis/{GROUP}/v1/things/%C3%A9%3A", f"/apis/{GROUP}/v1/things/%C3%A9%3A"),
    ],
)
def test_a_path_that_can_be_read_in_one_way_is_normalised_once(
    target: str, arrives: str, stack: Stack, backend: Backend
) -> None:
    """Dot segments and double slashes are gone before routing, authorization and the backend see the path."""
    answer = raw(stack, stack.user("admin", "system:masters"), target)

    assert b" 200 " in answer.partition(b"\r\n")[0]
    assert arrives == backend.seen[-1].path


def test_what_nobody_registered_is_a_404_status(stack: Stack, backend: Backend) -> None:
    """Groups, versions and paths without a backend, when there is no core API server."""
    client = stack.http("admin", "system:masters")
    for path in ("/apis/nope.example.com/v1/x", f"/apis/{GROUP}/v1beta1/x", "/nope", f"/other/{GROUP}/v1/things"):
        response = client.request("GET", stack.url + path)
        body = status_of(response)
        assert (response.status, body["reason"]) == (404, "NotFound"), path


def test_an_api_without_endpoints_is_a_503_status_that_says_when_to_retry(stack: Stack, backend: Backend) -> None:
    """An APIService whose Service has no endpoints is registered and unavailable."""
    objects = registration("down.example.com", "v1", 1, stack.servers.certificate, service="down")[:2]
    stack.drop("down.yaml", *objects)
    client = stack.http("admin", "system:masters")

    until(lambda: stack.status("/apis/down.example.com/v1/x", client) == 503, "the API is known and unavailable")

    response = client.request("GET", f"{stack.url}/apis/down.example.com/v1/x")
    assert status_of(response)["message"] == "service unavailable"
    assert response.headers["Retry-After"] == "1"
    stack.remove("down.yaml")


def test_a_watch_flows_at_once(stack: Stack, backend: Backend) -> None:
    """Every event a backend writes is read by the client before the next is written."""
    client = stack.http("carol", "developers")
    response = client.request("GET", f"{stack.url}{API}/things?watch=1", preload_content=False)
    until(lambda: backend.watchers == 1, "the watch is open")

    for number in range(3):
        backend.emit(f"event {number}")
        assert f"event {number}\n".encode() == response.readline()

    response.close()
    until(lambda: backend.watchers == 0, "the backend sees the client go")


def test_a_websocket_passes_and_its_token_does_not(stack: Stack, backend: Backend) -> None:
    """Upgrades work over HTTP/1.1; the bearer subprotocol authenticates and is not shown to the backend."""
    token = base64.urlsafe_b64encode(b"secret-of-bob").decode().rstrip("=")
    headers = (
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
        f"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.{token}, v4.channel.k8s.io\r\n"
    )
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(f"GET {API}/things HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{headers}\r\n".encode())
        assert b" 101 " in tls.recv(4096).partition(b"\r\n")[0]
        mask = b"\x00\x00\x00\x00"
        tls.sendall(b"\x81" + bytes([0x80 | 4]) + mask + b"ping")
        assert tls.recv(4096).endswith(b"echo ping")

    assert backend.seen[-1].lines("X-Remote-User") == ["bob"]
    assert backend.seen[-1].lines("Sec-WebSocket-Protocol") == ["v4.channel.k8s.io"]


def test_every_request_has_an_audit_id_that_joins_all_logs(stack: Stack, backend: Backend) -> None:
    """One is made where the client brings none; backend and client see the same, and refusals have one too."""
    client = stack.http("carol", "developers")

    made = client.request("GET", f"{stack.url}{API}/things").headers["Audit-Id"]
    assert [made] == backend.seen[-1].lines("Audit-Id")
    brought = client.request("GET", f"{stack.url}{API}/things", headers={"Audit-ID": "mine"}).headers["Audit-Id"]
    assert ["mine"] == backend.seen[-1].lines("Audit-Id") == [brought]
    refused = client.request("DELETE", f"{stack.url}{API}/things")
    assert refused.status == 403
    assert len(refused.headers["Audit-Id"]) == len(made) == 36


def test_a_request_id_is_the_clients_own_or_none(stack: Stack, backend: Backend) -> None:
    """Backends are sent X-Request-Id as the client wrote it, and none where it wrote none, as by kube-aggregator."""
    client = stack.http("carol", "developers")

    assert [] == seen_by(backend, stack, client).lines("X-Request-Id")
    assert ["mine"] == seen_by(backend, stack, client, **{"X-Request-Id": "mine"}).lines("X-Request-Id")


def test_no_answer_tells_what_it_was_made_with_or_may_be_cached(stack: Stack, backend: Backend) -> None:
    """Neither discovery nor refusals name a server program; refusals are not to be cached, as in kube-apiserver."""
    client = stack.http("carol", "developers")

    for path, status in (("/apis", 200), ("/nope", 403), ("/apis/nope.example.com/v1/x", 403)):
        response = client.request("GET", stack.url + path)
        assert status == response.status
        assert "Server" not in response.headers, path
        if status == 403:
            assert response.headers["Cache-Control"] == "no-cache, private"
