"""Every example of the page on authentication works: its files as they stand there, with other addresses."""

from __future__ import annotations

import json
import re
import shlex
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from backend import Backend
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from kube import KubeApiServer
from pki import CertificateAuthority
from process import ROOT
from rbac import grant
from stack import Stack, registration, until

GROUP = "shop.example.com"
ORDERS = f"/apis/{GROUP}/v1/orders"
READ = {"apiGroups": [GROUP], "resources": ["orders"], "verbs": ["list"]}
WHO = ["bob", "alice", "oidc:ann@example.org", "system:serviceaccount:default:default"]
PAGE = (ROOT / "docs" / "authentication.md").read_text()
KUBE, ISSUER = "https://10.0.0.1:6443", "https://issuer.example.org"


def section(title: str) -> str:
    """The text below a heading."""
    return PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]


def examples(text: str) -> list[dict[str, str]]:
    """Files by name; one that comes a second time begins another example."""
    found: list[dict[str, str]] = [{}]
    for name, content in re.findall(r"\n`([\w.-]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL):
        if name in found[-1]:
            found.append({})
        found[-1][name] = content
    return found


def commands(text: str) -> list[list[str]]:
    """The arguments of every kubectl of a text."""
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("    kubectl ")]


@contextmanager
def door(files: dict[str, str], authority: CertificateAuthority | None = None) -> Iterator[Stack]:
    """A front door with these files beside its settings; `authority` is that of front proxies."""
    settings: dict[str, dict[str, object]] = yaml.safe_load(files.pop("isthmus.yaml"))
    stack = Stack(settings=settings)
    if authority is not None:
        (stack.root / "front-proxies-ca.crt").write_bytes(authority.certificate)
    for name, content in files.items():
        (stack.root / name).write_text(content)
    with stack, Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        stack.drop("shop.yaml", *registration(GROUP, "v1", backend.port, stack.servers.certificate))
        if "authorizers" not in settings:
            stack.drop("rights.yaml", *grant("reader", READ, users=WHO))
        until(lambda: stack.status("/readyz", stack.http()) == 200, "it is ready")
        until(lambda: stack.status(ORDERS, stack.http("anybody", "system:masters")) == 200, "the backend is served")
        yield stack


def believed(stack: Stack, token: str) -> int:
    """The status of a request with a bearer token."""
    return stack.status(ORDERS, stack.http(), Authorization=f"Bearer {token}")


def test_static_tokens() -> None:
    """The token is its user, and another is nobody."""
    (files,) = examples(section("Static tokens"))
    with door(files) as stack:
        assert (200, 401) == (believed(stack, "secret-of-bob"), believed(stack, "secret-of-eve"))


@pytest.mark.parametrize("example", [0, 1])
def test_service_accounts(example: int, kube: KubeApiServer) -> None:
    """A token that kube-apiserver made is its account: by the key file, and by the keys that it shows."""
    text = section("Service accounts of a kube-apiserver")
    files = {name: content.replace(KUBE, kube.url) for name, content in examples(text)[example].items()}
    key = load_pem_private_key((kube.root / "accounts.key").read_bytes(), None)
    files["sa.pub"] = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    files["kube-ca.crt"] = kube.ca_file.read_text()
    for arguments in commands(text):
        until(lambda arguments=arguments: done(kube, arguments), f"kubectl {arguments} works")
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}})
    token = kube.kubectl("create", "token", "default").stdout.strip()
    with door(files) as stack:
        until(lambda: believed(stack, token) == 200, "the token is believed")
        assert believed(stack, f"{token}x") == 401


def test_openid_connect() -> None:
    """Name and groups come from the claims, and a rule that does not hold refuses."""
    (files,) = examples(section("OpenID Connect"))
    authority = CertificateAuthority("issuer")
    with issuer(authority) as (url, sign):
        document = yaml.safe_load(files["authentication.yaml"])
        assert ISSUER == document["jwt"][0]["issuer"]["url"]
        document["jwt"][0]["issuer"] |= {"url": url, "certificateAuthority": authority.certificate.decode()}
        files["authentication.yaml"] = yaml.safe_dump(document)
        claims = {"iss": url, "aud": "isthmus", "email": "ann@example.org", "email_verified": True, "groups": ["x"]}
        with door(files) as stack:
            until(lambda: believed(stack, sign(claims)) == 200, "the token is believed")
            assert believed(stack, sign({**claims, "email_verified": False})) == 401
            assert believed(stack, sign({**claims, "aud": "other"})) == 401
            assert (200, 401) == (stack.status("/version", stack.http()), stack.status(ORDERS, stack.http()))


def test_another_api_servers_word(kube: KubeApiServer) -> None:
    """The commands give Isthmus the right to ask; then that server's users have that server's rights."""
    title = "Another API server's word: TokenReview and SubjectAccessReview"
    text = section(title)
    (files,) = examples(text)
    files["reviewer.kubeconfig"] = files["reviewer.kubeconfig"].replace(KUBE, kube.url)
    files["kube-ca.crt"] = kube.ca_file.read_text()
    *others, making = commands(text)
    for arguments in others:
        assert done(kube, arguments)
    files["reviewer.token"] = kube.kubectl(*making).stdout
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "guest", "namespace": "default"}})
    kube.apply(*grant("orders-reader", READ, users=["system:serviceaccount:default:guest"]))
    token = kube.kubectl("create", "token", "guest").stdout.strip()
    with door(files) as stack:
        assert believed(stack, token) == 200
        assert believed(stack, f"{token}x") == 401


def test_a_front_proxy() -> None:
    """Its certificate makes its headers count, and without the certificate they mean nothing."""
    (files,) = examples(section("A front proxy"))
    authority = CertificateAuthority("front proxies")
    with door(files, authority) as stack:
        names = []
        for name in ("front-proxy-client", "somebody"):
            certificate, key = stack.root / f"{name}.crt", stack.root / f"{name}.key"
            issued = authority.issue(name, server=False)
            certificate.write_bytes(issued[0])
            key.write_bytes(issued[1])
            names.append((certificate, key))
        alice = {"X-Remote-User": "alice", "X-Remote-Group": "developers"}

        assert stack.status(ORDERS, stack.http(pair=names[0]), **alice) == 200
        assert stack.status(ORDERS, stack.http(pair=names[1]), **alice) != 200
        assert stack.status(ORDERS, stack.http(), **alice) == 403


def done(kube: KubeApiServer, arguments: list[str]) -> bool:
    """Whether a command worked, or had worked before."""
    ran = kube.kubectl(*arguments)
    return ran.returncode == 0 or "already exists" in ran.stderr


@contextmanager
def issuer(authority: CertificateAuthority) -> Iterator[tuple[str, Any]]:
    """An OpenID issuer: where it is, and what signs claims there."""
    certificate, private = authority.issue("issuer", ip_addresses=["127.0.0.1"], client=False)
    key: Any = load_pem_private_key(private, None)
    jwk = {
        **json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())),
        "kid": "one",
        "use": "sig",
        "alg": "ES256",
    }
    pages: dict[str, object] = {"/keys": {"keys": [jwk]}}

    class Pages(BaseHTTPRequestHandler):
        """What there is to read."""

        def do_GET(self) -> None:
            body = json.dumps(pages.get(self.path)).encode()
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    def sign(claims: dict[str, object]) -> str:
        now = int(time.time())
        return jwt.encode({**claims, "iat": now, "exp": now + 600}, key, algorithm="ES256", headers={"kid": "one"})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.socket = _encrypted(server.socket, certificate + private)
    url = f"https://127.0.0.1:{server.server_port}"
    pages["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": f"{url}/keys"}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url, sign
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _encrypted(plain: Any, pem: bytes) -> Any:  # noqa: ANN401 - sockets
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    path = Path(f"/tmp/isthmus-issuer-{time.monotonic_ns()}.pem")
    path.write_bytes(pem)
    context.load_cert_chain(path)
    path.unlink()
    return context.wrap_socket(plain, server_side=True)
