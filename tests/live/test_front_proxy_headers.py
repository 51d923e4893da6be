"""Front proxies before the real Envoy: whose word about who asks counts, and what of it reaches a backend."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from backend import Backend, Seen
from pki import CertificateAuthority
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}
TOKENS = "secret-of-bob,bob,42,developers\n"
ALICE = {"X-Remote-User": "alice", "X-Remote-Group": "developers"}
FRONT_PROXIES = CertificateAuthority("front proxies")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door that believes one name of one authority, in headers of the usual and of other names."""
    settings = {
        "clientCAFile": "front-proxies-ca.crt",
        "allowedNames": ["edge"],
        "usernameHeaders": ["X-Remote-User", "Gate_User"],
        "uidHeaders": ["X-Remote-Uid"],
        "groupHeaders": ["X-Remote-Group", "Gate-Group"],
        "extraHeadersPrefix": ["X-Remote-Extra-", "Gate-Extra-"],
    }
    running = Stack(
        authentication={"tokenFile": "tokens.csv", "requestHeader": settings},
        settings={"verdictCache": {"ttl": "5m", "debugHeader": True}},
    )
    (running.root / "tokens.csv").write_text(TOKENS)
    (running.root / "front-proxies-ca.crt").write_bytes(FRONT_PROXIES.certificate)
    with running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend that developers may read."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, groups=["developers"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def pair(stack: Stack, name: str, issued: tuple[bytes, bytes], *chain: CertificateAuthority) -> tuple[Path, Path]:
    """A certificate, with those of the authorities between, and its key, as files."""
    certificate, key = stack.root / f"{name}.crt", stack.root / f"{name}.key"
    certificate.write_bytes(issued[0] + b"".join(authority.certificate for authority in chain))
    key.write_bytes(issued[1])
    return certificate, key


@pytest.fixture
def edge(stack: Stack) -> urllib3.PoolManager:
    """The front proxy that is believed."""
    return stack.http(pair=pair(stack, "edge", FRONT_PROXIES.issue("edge", server=False)))


def asking(stack: Stack, client: urllib3.PoolManager, *headers: tuple[str, str], path: str = THINGS) -> int:
    """The status of a GET with these header lines, several of one name included."""
    lines = urllib3.HTTPHeaderDict()
    for name, value in headers:
        lines.add(name, value)
    return client.request("GET", stack.url + path, headers=lines).status


def of_identity(seen: Seen) -> list[tuple[str, str]]:
    """The lines that tell a backend who asks, or that front proxies use to tell us, and any of our own."""
    plain = [(name.lower(), value) for name, value in seen.headers]
    return [
        (name, value)
        for name, value in plain
        if name.replace("_", "-").startswith(("x-remote-", "gate-", "x-isthmus-"))
    ]


def test_a_front_proxy_is_believed(stack: Stack, backend: Backend, edge: urllib3.PoolManager) -> None:
    """Name, UID, one line a group and each extra arrive at the backend as the front proxy has said them."""
    said = [
        ("X-Remote-User", "alice"),
        ("X-Remote-Uid", "7"),
        ("X-Remote-Group", "developers"),
        ("X-Remote-Group", "odd,group"),
        ("X-Remote-Extra-Scopes", "one"),
        ("X-Remote-Extra-Scopes", "two"),
        ("X-Remote-Extra-Example.org%2FKey", "Ünïcode 100%"),
    ]
    assert asking(stack, edge, *[(name, value.encode().decode("latin-1")) for name, value in said]) == 200

    assert of_identity(backend.seen[-1]) == [
        ("x-remote-user", "alice"),
        ("x-remote-uid", "7"),
        ("x-remote-group", "developers"),
        ("x-remote-group", "odd,group"),
        ("x-remote-group", "system:authenticated"),
        ("x-remote-extra-example.org%2fkey", "Ünïcode 100%"),
        ("x-remote-extra-scopes", "one"),
        ("x-remote-extra-scopes", "two"),
    ]


def test_headers_of_other_names_are_believed_and_removed(
    stack: Stack, backend: Backend, edge: urllib3.PoolManager
) -> None:
    """Names that only the settings know are read to the letter, and no spelling of them reaches a backend."""
    said = [
        ("Gate_User", "carol"),
        ("Gate-Group", "developers"),
        ("Gate-Extra-A", "b"),
        ("gate_group", "system:masters"),
    ]
    assert asking(stack, edge, *said, ("gate-user", "root"), ("Gate_Extra_C", "d")) == 200

    assert of_identity(backend.seen[-1]) == [
        ("x-remote-user", "carol"),
        ("x-remote-group", "developers"),
        ("x-remote-group", "system:authenticated"),
        ("x-remote-extra-a", "b"),
    ]


def test_a_front_proxy_of_another_name_is_not_believed(stack: Stack, backend: Backend) -> None:
    """Of the right authority and not among the allowed names: 401, and neither anonymous nor the certificate's user."""
    other = stack.http(
        pair=pair(stack, "other", FRONT_PROXIES.issue("other", organizations=["developers"], server=False))
    )

    assert asking(stack, other, *ALICE.items()) == 401
    assert asking(stack, other) == 401
    assert asking(stack, other, ("Authorization", "Bearer secret-of-bob"), *ALICE.items()) == 200
    assert backend.seen[-1].lines("X-Remote-User") == ["bob"]


def test_a_front_proxy_that_names_nobody_is_nobody(stack: Stack, backend: Backend, edge: urllib3.PoolManager) -> None:
    """Without a name the others mean nothing, and its certificate makes the front proxy no user."""
    assert asking(stack, edge, ("X-Remote-Group", "system:masters"), ("X-Remote-User", "")) == 401
    assert asking(stack, edge, ("X_Remote_User", "alice"), ("X-Remote-Group", "developers")) == 401
    assert asking(stack, edge) == 401


def test_a_user_does_not_speak_for_others(stack: Stack, backend: Backend) -> None:
    """A certificate of the client CA is its own user's whatever is said beside it, of an allowed name, too."""
    for name in ("dave", "edge"):
        files = pair(stack, f"user-{name}", stack.clients.issue(name, organizations=["developers"], server=False))
        client = stack.http(pair=files)
        forged = [("X-Remote-User", "root"), ("X-Remote-Group", "system:masters"), ("Gate_User", "root")]
        assert asking(stack, client, *forged) == 200

        assert backend.seen[-1].lines("X-Remote-User") == [name]
        assert backend.seen[-1].lines("X-Remote-Group") == ["developers", "system:authenticated"]
        assert "root" not in [value for _, value in of_identity(backend.seen[-1])]


@pytest.mark.parametrize("which", ["of another authority", "expired", "for servers only"])
def test_a_bad_certificate_makes_no_front_proxy(which: str, stack: Stack, backend: Backend) -> None:
    """An allowed name is worth nothing on a certificate that does not hold."""
    expired = FRONT_PROXIES.issue("edge", server=False, lifetime=datetime.timedelta(hours=-1))
    issued = {
        "of another authority": CertificateAuthority("front proxies").issue("edge", server=False),
        "expired": expired,
        "for servers only": FRONT_PROXIES.issue("edge", client=False),
    }
    client = stack.http(pair=pair(stack, "bad", issued[which]))

    assert asking(stack, client, *ALICE.items()) == 401


def test_without_a_certificate_headers_are_air(stack: Stack, backend: Backend) -> None:
    """They are removed in every spelling; the sender is anonymous, or who its token says."""
    forged = [
        ("X-Remote-User", "root"),
        ("x_remote_user", "root"),
        ("X-Remote_Group", "system:masters"),
        ("X-Remote-Extra-Scopes", "all"),
        ("Gate_User", "root"),
        ("GATE-USER", "root"),
        ("Gate-Extra-X", "all"),
        ("gate_extra-y", "all"),
        ("X-Isthmus-Asserted", "1"),
    ]
    response = stack.http().request("GET", stack.url + THINGS, headers=dict(forged))
    assert (response.status, json.loads(response.data)["message"].partition(" cannot")[0]) == (
        403,
        'things.echo.example.com is forbidden: User "system:anonymous"',
    )
    assert asking(stack, stack.http(), *forged, ("Authorization", "Bearer secret-of-bob")) == 200

    assert of_identity(backend.seen[-1]) == [
        ("x-remote-user", "bob"),
        ("x-remote-uid", "42"),
        ("x-remote-group", "developers"),
        ("x-remote-group", "system:authenticated"),
    ]


def test_an_authority_between_makes_a_chain(stack: Stack, backend: Backend) -> None:
    """Front proxies and users with a certificate of an intermediate authority are told apart by the root behind it."""
    between = CertificateAuthority("between", FRONT_PROXIES)
    edge = stack.http(pair=pair(stack, "edge-below", between.issue("edge", server=False), between))
    beneath = CertificateAuthority("between", stack.clients)
    user = stack.http(
        pair=pair(stack, "erin", beneath.issue("erin", organizations=["developers"], server=False), beneath)
    )
    claim = stack.http(pair=pair(stack, "claim", beneath.issue("edge", server=False), beneath, between))

    assert asking(stack, edge, *ALICE.items()) == 200
    assert backend.seen[-1].lines("X-Remote-User") == ["alice"]
    assert asking(stack, edge) == 401
    assert asking(stack, user, *ALICE.items()) == 200
    assert backend.seen[-1].lines("X-Remote-User") == ["erin"]
    assert asking(stack, claim, *ALICE.items()) == 403


def test_what_is_said_of_others_is_never_a_known_verdict(
    stack: Stack, backend: Backend, edge: urllib3.PoolManager
) -> None:
    """Neither is what was decided for one used for another, nor what was decided for the sender itself."""

    def told(client: urllib3.PoolManager, **headers: str) -> tuple[int, str]:
        response = client.request("GET", stack.url + THINGS, headers=headers)
        return response.status, response.headers["X-Isthmus-Verdict"]

    assert [told(edge, **ALICE) for _ in range(2)] == [(200, "bypass")] * 2
    assert told(edge, **{"X-Remote-User": "eve"}) == (403, "bypass")
    assert told(edge) == (401, "miss")
    user = stack.http("frank", "developers")
    assert [told(user) for _ in range(2)] == [(200, "miss"), (200, "hit")]
    assert told(user, **ALICE) == (200, "bypass")
    assert backend.seen[-1].lines("X-Remote-User") == ["frank"]
    assert told(user) == (200, "hit")


def test_another_authority_of_front_proxies_rules_at_once(stack: Stack, backend: Backend) -> None:
    """The file is replaced: the old front proxy is refused on its open connection, the new one is believed."""
    old = stack.http(pair=pair(stack, "old", FRONT_PROXIES.issue("edge", server=False)))
    successor = CertificateAuthority("front proxies, the second")
    new = pair(stack, "new", successor.issue("edge", server=False))
    assert asking(stack, old, *ALICE.items()) == 200
    file = stack.root / "front-proxies-ca.crt"
    for authority, believed, refused in (
        (successor, stack.http(pair=new), old),
        (FRONT_PROXIES, old, stack.http(pair=new)),
    ):
        file.with_suffix(".new").write_bytes(authority.certificate)
        file.with_suffix(".new").rename(file)

        until(lambda client=refused: asking(stack, client, *ALICE.items()) == 401, "the old authority does not count")
        until(lambda client=believed: asking(stack, client, *ALICE.items()) == 200, "the new one does")


def test_one_front_door_stands_before_another(stack: Stack, backend: Backend) -> None:
    """What the outer one has found out about a user arrives at a backend of the inner one, and RBAC holds at both."""
    asserting = {
        "clientCAFile": "front-proxies-ca.crt",
        "allowedNames": ["front-proxy-client"],
        "uidHeaders": ["X-Remote-Uid"],
    }
    inner = Stack(authentication={"requestHeader": asserting}, proxies=stack.proxies)
    (inner.root / "front-proxies-ca.crt").write_bytes(stack.proxies.certificate)
    for file, shown in zip(inner.backend_files("inner"), ("serving.crt", "serving.key"), strict=True):
        (inner.root / shown).write_bytes(file.read_bytes())
    inner.drop("echo.yaml", *registration("inner.example.com", "v1", backend.port, stack.servers.certificate))
    inner.drop("rights.yaml", *grant("reader", {**READ, "apiGroups": ["inner.example.com"]}, users=["gina"]))
    with inner:
        outer = registration("inner.example.com", "v1", inner.port, inner.servers.certificate, service="inner")
        rights = grant("inner", {**READ, "apiGroups": ["inner.example.com"]}, groups=["visitors"])
        stack.drop("inner.yaml", *outer, *rights)
        path = "/apis/inner.example.com/v1/things"
        gina, hugo = stack.http("gina", "visitors", "odd,group"), stack.http("hugo", "visitors")
        until(lambda: stack.status(path, gina) == 200, "both serve it")

        lines = backend.seen[-1].lines
        assert (lines("X-Remote-User"), lines("X-Remote-Group")) == (
            ["gina"],
            ["visitors", "odd,group", "system:authenticated"],
        )
        (credential,) = lines("X-Remote-Extra-Authentication.kubernetes.io%2Fcredential-Id")
        assert credential.startswith("X509SHA256=")
        refused = hugo.request("GET", stack.url + path)
        assert refused.status == 403
        assert json.loads(refused.data)["message"] == (
            'things.inner.example.com is forbidden: User "hugo" cannot list resource "things" in API group '
            '"inner.example.com" at the cluster scope'
        )
    stack.remove("inner.yaml")
