"""The log of a whole run at its most talkative: every line is an object, and no secret is in any."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import yaml
from backend import Backend
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}
ISSUER = "https://accounts.example.com"
POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
TOKENS = ("secret-of-bob", "secret-of-ann", "secret-of-nobody")
LEVELS = {"debug", "info", "warning", "error"}


def test_every_line_is_an_object_and_no_secret_is_in_any() -> None:
    """Good and bad credentials of every kind, broken files, lost backends, a killed worker, two ends."""
    authentication: dict[str, object] = {
        "tokenFile": "tokens.csv",
        "serviceAccounts": {"issuers": [ISSUER], "keyFiles": ["accounts.key"]},
    }
    settings: dict[str, dict[str, object]] = {
        "log": {"level": "debug", "format": "json"},
        "audit": {"policyFile": "audit.yaml", "log": {"path": "audit.log"}},
    }
    stack = Stack(authentication=authentication, settings=settings)
    stack.set("authorization", workers=1)
    (stack.root / "audit.yaml").write_text(yaml.safe_dump(POLICY))
    write_tokens(stack, "secret-of-bob,bob,42,developers")
    pair = stack.servers.issue("accounts", client=False, server=False)
    (stack.root / "accounts.key").write_bytes(pair[1])
    account = robot_token(pair[1])
    with stack, Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        assert stack.control_plane is not None
        stack.drop("echo.yaml", *registration(GROUP, "v1", backend.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, groups=["developers", "system:serviceaccounts"]))
        until(lambda: stack.status(THINGS, stack.http("starter", "developers")) == 200, "the backend is served")
        assert {token: asked(stack, token) for token in (*TOKENS[::2], account, f"{account}x")} == {
            "secret-of-bob": 200,
            "secret-of-nobody": 401,
            account: 200,
            f"{account}x": 401,
        }
        stranger = {"Impersonate-User": "bob", "Audit-Id": "of-the-impersonator"}
        assert stack.status(THINGS, stack.http("stranger"), **stranger) == 403
        write_tokens(stack, "secret-of-ann,ann,43,developers", "secret-of-nobody")
        until(lambda: "has 1 fields" in stack.control_plane.log.read_text(), "the broken file is reported")
        (stack.root / "proxy.key").write_text("-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n")
        until(lambda: "proxy.key" in stack.control_plane.log.read_text(), "the broken key is reported")
        stack.control_plane.stop()
        # The next one fails at once: it cannot read its token file.
        (stack.root / "tokens.csv").unlink()
        stack.start_control_plane()
        until(lambda: not stack.control_plane.running, "it cannot start")

        lines = [parsed(line) for line in stack.control_plane.log.read_text().splitlines()]
        talk = stack.control_plane.log.read_text() + (stack.root / "envoy.log").read_text()
        private = (*TOKENS, account, account.rpartition(".")[2], *keys(stack.root), "bm8ga2V5")
        assert [] == [secret for secret in private if secret in talk]
        assert {"isthmus", "auth", "discovery", "workers", "xds"} <= {line["logger"] for line in lines}
        refused = [line["audit_id"] for line in lines if line["event"] == "request not authenticated"]
        assert ["request-of-16", f"request-of-{len(account) + 1}"] == refused
        assert "ended" == lines[-1]["event"]


def parsed(line: str) -> dict[str, Any]:
    """A line's fields, which have what every line has."""
    fields: dict[str, Any] = json.loads(line)
    assert {"timestamp", "level", "logger", "event"} <= fields.keys(), line
    assert fields["level"] in LEVELS, line
    return fields


def asked(stack: Stack, token: str) -> int:
    """The status of a GET with that bearer token, by an identifier that can be found in the log."""
    headers = {"Authorization": f"Bearer {token}", "Audit-Id": f"request-of-{len(token)}"}
    return stack.status(THINGS, stack.http(), **headers)


def keys(folder: Path) -> list[str]:
    """A line from the middle of every private key there, as PEM and as it looks in a manifest."""
    middles = [path.read_text().splitlines()[1] for path in folder.glob("*.key")]
    return [*middles, *(base64.b64encode(middle.encode()).decode() for middle in middles)]


def write_tokens(stack: Stack, *lines: str) -> None:
    """Replaces the token file."""
    spare = stack.root / ".tokens.csv"
    spare.write_text("\n".join(lines))
    spare.rename(stack.root / "tokens.csv")


def robot_token(key: bytes) -> str:
    """A service account's token."""
    now = int(time.time())
    bound = {"namespace": "default", "serviceaccount": {"name": "robot", "uid": "u-1"}}
    payload = {"iss": ISSUER, "aud": [ISSUER], "sub": "system:serviceaccount:default:robot", "kubernetes.io": bound}
    return jwt.encode({**payload, "iat": now, "nbf": now, "exp": now + 600}, key, algorithm="ES256")
