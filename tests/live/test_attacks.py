"""Attempts on the front door, byte by byte against the real Envoy: each is refused, or changes nothing of who asks."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from backend import Backend
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from pki import CertificateAuthority
from rbac import grant
from stack import PATIENCE, Stack, registration, until

GROUP = "echo.example.com"
API = f"/apis/{GROUP}/v1"
THINGS = f"{API}/namespaces/default/things"
EVERYTHING = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["*"]}
TOKEN = "secret-of-bob"
BEARER = f"Authorization: Bearer {TOKEN}"
PROTOCOL = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
WEBSOCKET = (
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
CLOSE = "Connection: close"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door that keeps verdicts and knows the token of bob, a developer."""
    door = Stack(authentication={"tokenFile": "tokens.csv"}, settings={"verdictCache": {"ttl": "5m"}})
    (door.root / "tokens.csv").write_text(f"{TOKEN},bob,42,developers\n")
    with door as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend on which developers may do everything."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("writer", EVERYTHING, groups=["developers"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def sent(stack: Stack, *lines: str, target: str = THINGS, pair: tuple[Path, Path] | None = None) -> int:
    """The status of a GET of these header lines, sent as they are."""
    context = ssl.create_default_context(cadata=stack.servers.certificate.decode())
    if pair is not None:
        context.load_cert_chain(*pair)
    request = "\r\n".join((f"GET {target} HTTP/1.1", "Host: x", *lines, "", "")).encode("latin-1")
    with (
        socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


def identity(backend: Backend) -> tuple[list[str], list[str]]:
    """User and groups of the last request that arrived."""
    last = backend.seen[-1]
    return last.lines("X-Remote-User"), last.lines("X-Remote-Group")


BOB = (["bob"], ["developers", "system:authenticated"])


@pytest.mark.parametrize("name", ["X-Remote-Group", "x_remote_group", "X-Remote_Group", "x-remote-GROUP"])
def test_no_spelling_of_an_identity_header_counts(stack: Stack, backend: Backend, name: str) -> None:
    """A group that the client writes itself, in whatever spelling, does not arrive."""
    status = sent(stack, BEARER, f"{name}: system:masters", CLOSE)

    assert (status, identity(backend)) == (200, BOB)
    assert not [value for _, value in backend.seen[-1].headers if value == "system:masters"]


@pytest.mark.parametrize("name", ["X-Isthmus-Verdicts", "X_Isthmus_Verdicts", "X-Isthmus-Asserted"])
@pytest.mark.parametrize("more", [(CLOSE,), ("Connection: Upgrade", *WEBSOCKET)])
def test_a_client_cannot_say_that_its_verdict_is_known(
    stack: Stack, backend: Backend, name: str, more: tuple[str, ...]
) -> None:
    """The words that our filters leave for each other mean nothing from outside: such a request is decided."""
    before = len(backend.seen)

    statuses = [sent(stack, f"{name}: {word}", *more) for word in ("known", "1", "true")]

    assert (statuses, len(backend.seen)) == ([403] * 3, before)


@pytest.mark.parametrize(
    "listed", ["X-Remote-User, X-Remote-Group", "x-isthmus-route", "x-isthmus-verdicts, x-isthmus-asserted", "audit-id"]
)
def test_no_header_of_ours_is_hop_by_hop(stack: Stack, backend: Backend, listed: str) -> None:
    """What the Connection header lists is not taken out of what our filters have written."""
    status = sent(stack, BEARER, f"Connection: close, {listed}")

    assert (status, identity(backend)) == (200, BOB)


def test_no_header_of_ours_is_hop_by_hop_in_an_upgrade(stack: Stack, backend: Backend) -> None:
    """What the next proxy is told to take away is what Envoy says, not what the client listed."""
    status = sent(stack, BEARER, "Connection: Upgrade, X-Remote-Group, X-Remote-User", *WEBSOCKET)

    assert (status, identity(backend)) == (101, BOB)
    assert [value.lower() for value in backend.seen[-1].lines("Connection")] == ["upgrade"]


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        ((BEARER, "Authorization: Bearer other"), 401),
        (("Authorization: Bearer other", BEARER), 401),
        ((f"{BEARER},Bearer other",), 401),
        ((f"{BEARER}\xff",), 401),
        ((f"Authorization: Bearer  {TOKEN}",), 403),
        ((f"Authorization: {TOKEN}",), 403),
        ((f"Authorization: Basic {TOKEN}",), 403),
        (("Authorization:",), 403),
    ],
)
def test_what_resembles_a_known_credential_is_not_one(
    stack: Stack, backend: Backend, credentials: tuple[str, ...], status: int
) -> None:
    """After a verdict for bob's token is kept, several tokens, parts of one and other schemes gain nothing by it."""
    known = [sent(stack, BEARER, CLOSE) for _ in range(2)]
    before = len(backend.seen)

    assert (known, sent(stack, *credentials, CLOSE)) == ([200, 200], status)
    assert len(backend.seen) == before


@pytest.mark.parametrize(
    ("protocols", "status"),
    [
        ((f"{PROTOCOL}, v4.channel.k8s.io",), 101),
        (("v4.channel.k8s.io", PROTOCOL), 101),
        ((PROTOCOL,), 401),
        ((f"v4.channel.k8s.io, {PROTOCOL}, {PROTOCOL}",), 401),
        ((f"v4.channel.k8s.io, {PROTOCOL}\xa0",), 401),
        ((f"v4.channel.k8s.io;{PROTOCOL}",), 403),
    ],
)
def test_a_token_among_subprotocols_counts_once_and_stays_here(
    stack: Stack, backend: Backend, protocols: tuple[str, ...], status: int
) -> None:
    """A token offered as a subprotocol is believed in one form only, and no backend is shown it."""
    before = len(backend.seen)
    lines = [f"Sec-WebSocket-Protocol: {each}" for each in protocols]

    assert sent(stack, "Connection: Upgrade", *WEBSOCKET, *lines) == status
    arrived = backend.seen[before:]
    assert [each.lines("X-Remote-User") for each in arrived] == ([["bob"]] if status == 101 else [])
    assert [each.lines("Sec-WebSocket-Protocol") for each in arrived] == ([["v4.channel.k8s.io"]] if arrived else [])


def test_a_token_among_subprotocols_stays_here_without_an_upgrade_too(stack: Stack, backend: Backend) -> None:
    """Where nothing is upgraded it is no credential, and no backend is shown it, whatever is known of the sender."""
    line = f"Sec-WebSocket-Protocol: {PROTOCOL}, v4.channel.k8s.io"
    statuses = [sent(stack, line, CLOSE), sent(stack, BEARER, CLOSE), sent(stack, BEARER, line, CLOSE)]

    assert statuses == [403, 200, 200]
    assert backend.seen[-1].lines("Sec-WebSocket-Protocol") == ["v4.channel.k8s.io"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{THINGS}#/../secrets", 400),
        (f"{THINGS}/..%2fsecrets", 400),
        (f"{THINGS}/..%5csecrets", 400),
        (f"{THINGS}/x%00", 400),
        (f"{THINGS}/%2e%2e/secrets", 403),
        (f"{THINGS}\\..\\secrets", 403),
        (f"{API}/namespaces/default/secrets/x", 403),
        (f"http://elsewhere{API}/namespaces/default/secrets/x", 403),
    ],
)
def test_a_path_is_decided_as_it_would_be_forwarded(stack: Stack, backend: Backend, target: str, status: int) -> None:
    """A path that a backend could read as another one is refused, or decided as that other one."""
    known = sent(stack, BEARER, CLOSE)
    before = len(backend.seen)

    assert (known, sent(stack, BEARER, CLOSE, target=target)) == (200, status)
    assert len(backend.seen) == before


def test_an_underscore_does_not_impersonate(stack: Stack, backend: Backend) -> None:
    """Impersonate_User is neither believed nor passed on, and the verdict that is known is not used beside it."""
    status = sent(stack, BEARER, "Impersonate_User: root", "Impersonate_Group: system:masters", CLOSE)

    assert (status, identity(backend)) == (200, BOB)
    assert not [name for name, _ in backend.seen[-1].headers if name.lower().startswith("impersonate")]


def test_the_digest_of_a_certificate_is_no_credential(stack: Stack, backend: Backend) -> None:
    """Who knows a known certificate, and has not its key, gains nothing by its digest."""
    pair = stack.user("digested", "developers")
    digest = x509.load_pem_x509_certificate(pair[0].read_bytes()).fingerprint(SHA256()).hex()
    known = [sent(stack, CLOSE, pair=pair) for _ in range(2)]
    before = len(backend.seen)

    assert (known, sent(stack, f"Authorization: {digest}", CLOSE)) == ([200, 200], 403)
    assert len(backend.seen) == before


def test_a_selector_that_takes_long_to_refuse_is_refused_at_once(stack: Stack, backend: Backend) -> None:
    """A request that almost parses holds up nobody else's."""
    target = f"{THINGS}?labelSelector=a+in+(" + "+++,%09" * 200 + "!"

    assert (sent(stack, CLOSE, target=target), sent(stack, BEARER, CLOSE)) == (403, 200)


def test_an_open_connection_ends_with_the_authority_it_was_made_by(backend: Backend) -> None:
    """A certificate is verified by the client CA of now, and not by that of when the connection was made."""
    with Stack() as other:
        other.drop("echo.yaml", *registration(GROUP, "v1", backend.port, CertificateAuthority("x").certificate))
        client = other.http("carol", "system:masters")
        assert client.request("GET", f"{other.url}/apis").status == 200
        spare = other.root / ".clients-ca.crt"
        spare.write_bytes(CertificateAuthority("clients").certificate)
        spare.rename(other.root / "clients-ca.crt")

        until(lambda: client.request("GET", f"{other.url}/apis").status == 401, "the certificate is not believed")


def test_an_anonymous_verdict_holds_on_its_path_alone() -> None:
    """What may be asked anonymously on one path is not thereby known of another."""
    conditions = [{"path": "/version"}]
    configuration = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": conditions},
    }
    stack = Stack(authentication={"configurationFile": "authentication.yaml"})
    (stack.root / "authentication.yaml").write_text(yaml.safe_dump(configuration))
    everything = {"nonResourceURLs": ["*"], "verbs": ["get"]}
    with stack:
        stack.drop("rights.yaml", *grant("all", everything, groups=["system:unauthenticated"]))
        until(lambda: sent(stack, CLOSE, target="/version") == 200, "anonymous requests are let in")

        assert [sent(stack, CLOSE, target=path) for path in ("/version", "/version", "/apis")] == [200, 200, 401]
