"""Who is believed, through the real Envoy: files that are replaced, service accounts, and another API server's word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import yaml
from backend import Backend
from kube import KubeApiServer
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list"]}
ISSUER = "https://accounts.example.com"
ROBOT = "system:serviceaccount:default:robot"
CONFIGURATION = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "AuthenticationConfiguration",
    "jwt": [
        {
            "issuer": {"url": "https://127.0.0.1:1", "audiences": ["isthmus"]},
            "claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}},
        }
    ],
    "anonymous": {"enabled": True, "conditions": [{"path": "/version"}]},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door with static tokens, service accounts, an issuer that is down, and verdicts that are kept long."""
    authentication = {
        "tokenFile": "tokens.csv",
        "serviceAccounts": {"issuers": [ISSUER], "keyFiles": ["servers-ca.crt", "accounts.crt"]},
        "configurationFile": "authentication.yaml",
    }
    running = Stack(authentication=authentication, settings={"verdictCache": {"ttl": "5m", "debugHeader": True}})
    write_tokens(running, "secret-of-bob,bob,42,developers")
    (running.root / "authentication.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    pair = running.servers.issue("accounts", client=False, server=False)
    for name, content in zip(("accounts.crt", "accounts.key"), pair, strict=True):
        (running.root / name).write_bytes(content)
    with running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend that developers and a service account may read."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        stack.drop("echo.yaml", *registration(GROUP, "v1", running.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, users=[ROBOT], groups=["developers"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        yield running


def write_tokens(stack: Stack, *lines: str) -> None:
    """Replaces the token file."""
    spare = stack.root / ".tokens.csv"
    spare.write_text("\n".join(lines))
    spare.rename(stack.root / "tokens.csv")


def asked(stack: Stack, token: str) -> tuple[int, str]:
    """The status of a GET with that bearer token, and what was known of it."""
    headers = {"Authorization": f"Bearer {token}"}
    response = stack.http().request("GET", stack.url + THINGS, headers=headers)
    return response.status, response.headers["X-Isthmus-Verdict"]


def account_token(stack: Stack, **claims: object) -> str:
    """A service account's token as kube-apiserver signs them."""
    now = int(time.time())
    bound = {
        "namespace": "default",
        "serviceaccount": {"name": "robot", "uid": "u-1"},
        "pod": {"name": "p", "uid": "u-2"},
    }
    payload = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": ROBOT,
        "jti": "j-1",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "kubernetes.io": bound,
    }
    key = (stack.root / "accounts.key").read_bytes()
    return jwt.encode({**payload, **claims}, key, algorithm="ES256")


def test_a_token_that_is_taken_out_of_the_file_is_refused_at_once(stack: Stack, backend: Backend) -> None:
    """However long its verdict might be kept, and a token that is put in is believed."""
    until(lambda: asked(stack, "secret-of-bob") == (200, "hit"), "the verdict is known")
    write_tokens(stack, "secret-of-ann,ann,43,developers")

    until(lambda: asked(stack, "secret-of-bob")[0] == 401, "the token is not believed")
    assert asked(stack, "secret-of-ann")[0] == 200


def test_a_broken_token_file_changes_nothing(stack: Stack, backend: Backend) -> None:
    """It is reported, and the tokens before stay good."""
    write_tokens(stack, "secret-of-ann,ann,43,developers")
    until(lambda: asked(stack, "secret-of-ann")[0] == 200, "the token is believed")
    write_tokens(stack, "only-a-token")
    assert stack.control_plane is not None
    log = stack.control_plane.log
    until(lambda: "has 1 fields" in log.read_text(), "the problem is reported")

    assert asked(stack, "secret-of-ann")[0] == 200
    assert "only-a-token" not in log.read_text()
    write_tokens(stack, "secret-of-ann,ann,43,developers")


def test_a_service_account_arrives_with_all_that_its_token_says(stack: Stack, backend: Backend) -> None:
    """Name, UID, groups and the Pod it is bound to are what kube-apiserver would tell the backend."""
    assert asked(stack, account_token(stack))[0] == 200

    seen = backend.seen[-1]
    groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert (ROBOT, "u-1", groups) == (
        *seen.lines("X-Remote-User"),
        *seen.lines("X-Remote-Uid"),
        seen.lines("X-Remote-Group"),
    )
    assert seen.lines("X-Remote-Extra-Authentication.kubernetes.io%2fpod-name") == ["p"]
    assert seen.lines("Authorization") == []


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"iss": "https://other.example.com"},
        {"aud": ["other"]},
        {"kubernetes.io": {}},
    ],
)
def test_a_service_account_token_that_does_not_hold_is_401(
    claims: dict[str, object], stack: Stack, backend: Backend
) -> None:
    """Expired, of another issuer, for somebody else, or about no account."""
    assert asked(stack, account_token(stack, **claims))[0] == 401


def test_a_verdict_ends_with_its_token(stack: Stack, backend: Backend) -> None:
    """A token is not known beyond its end; it is asked about then, in the minute of grace that kube-apiserver has."""
    token = account_token(stack, exp=int(time.time()) + 4, jti="j-2")
    until(lambda: asked(stack, token) == (200, "hit"), "the verdict is known")

    until(lambda: asked(stack, token) == (200, "miss"), "the token has ended")


def test_anonymous_requests_are_for_the_listed_paths(stack: Stack, backend: Backend) -> None:
    """Elsewhere, whoever shows nothing is asked for a credential; an issuer that is down disturbs nobody."""
    client = stack.http()

    assert [200, 401, 401] == [stack.status(path, client) for path in ("/version", "/apis", THINGS)]


def test_another_api_server_says_who_it_is_and_what_they_may(kube: KubeApiServer, tmp_path: Path) -> None:
    """With its TokenReviews and SubjectAccessReviews its users have their rights here, at once and no longer."""
    robot = {"name": "guest", "namespace": "default"}
    webhook = {"kubeconfig": str(kube.kubeconfig), "kubernetesAPI": True}
    settings = {"authorizers": {"modes": ["RBAC", "Webhook"], "webhook": {**webhook, "unauthorizedTTL": "0s"}}}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": robot})
    token = kube.kubectl("create", "token", "guest").stdout.strip()
    user = "system:serviceaccount:default:guest"
    with (
        Stack(authentication={"webhook": webhook}, settings=settings) as stack,
        Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend,
    ):
        stack.drop("echo.yaml", *registration(GROUP, "v1", backend.port, stack.servers.certificate))
        headers = {"Authorization": f"Bearer {token}"}
        until(lambda: stack.status(THINGS, stack.http(), **headers) == 403, "it is known, and may not")
        kube.apply(*grant("guest-reader", READ, users=[user]))
        until(lambda: stack.status(THINGS, stack.http(), **headers) == 200, "it may")

        seen = backend.seen[-1]
        assert seen.lines("X-Remote-User") == [user]
        assert stack.status(THINGS, stack.http(), Authorization=f"Bearer {token}x") == 401
