"""Whom Envoy believes when authorities are renewed, and clients with what kinds of keys."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend import Backend
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pki import CertificateAuthority, PrivateKey
from stack import Stack, registration, until

DAY = datetime.timedelta(days=1)
PATH = "/apis/a.example.com/v1/things"


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A front door whose files of authorities have a renewed certificate after the one that has expired."""
    stack = Stack()
    write_clients(stack, stack.clients.again(-DAY), stack.clients.certificate)
    (stack.root / "roots.crt").write_bytes(stack.servers.again(-DAY) + stack.servers.certificate)
    stack.settings.write_text(f"{stack.settings.read_text()}systemRootsFile: roots.crt\n")
    with stack as running:
        yield running


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend whose caBundle has its authority's certificates in the same order."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        bundle = stack.servers.again(-DAY) + stack.servers.certificate
        stack.drop("api.yaml", *registration("a.example.com", "v1", running.port, bundle))
        yield running


def write_clients(stack: Stack, *authorities: bytes) -> None:
    """Replaces the file of those who may issue client certificates."""
    temporary = stack.root / "clients.tmp"
    temporary.write_bytes(b"".join(authorities))
    temporary.rename(stack.root / "clients-ca.crt")


def pair_of(stack: Stack, name: str, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
    """Files of a certificate and its key."""
    files = stack.root / f"{name}.crt", stack.root / f"{name}.key"
    for file, content in zip(files, pair, strict=True):
        file.write_bytes(content)
    return files


def answers(stack: Stack, user: str = "admin") -> int:
    """The status of a request on a new connection, with the certificate of that member of system:masters."""
    return stack.status(PATH, stack.http(user, "system:masters"))


def test_a_renewed_authority_counts_beside_the_one_that_expired(stack: Stack, backend: Backend) -> None:
    """That of clients, and that of a backend; Go's verifier tries both, wherever they stand."""
    until(lambda: answers(stack) == 200, "client and backend are believed")

    assert backend.seen[-1].lines("X-Remote-User") == ["admin"]


def test_a_renewed_authority_counts_among_the_systems_roots(stack: Stack, backend: Backend) -> None:
    """They verify backends that are registered without a caBundle."""
    service, *_ = registration("b.example.com", "v1", backend.port, b"")
    spec = service["spec"]
    assert isinstance(spec, dict)
    del spec["caBundle"]
    stack.drop("roots.yaml", service)

    until(lambda: stack.status("/apis/b.example.com/v1/x", stack.http("admin", "system:masters")) == 200, "believed")


def test_the_order_of_many_authorities_makes_no_difference(stack: Stack, backend: Backend) -> None:
    """Envoy's library keeps no order among more than sixteen."""
    until(lambda: answers(stack) == 200, "client and backend are believed")
    many = [CertificateAuthority(f"authority {number}").certificate for number in range(40)]
    expired = [stack.clients.again(-number * DAY) for number in (1, 2, 3)]
    for place in (0, 15, 30, 40):
        newest = CertificateAuthority(f"newest {place}")
        write_clients(stack, newest.certificate, *many[:place], stack.clients.certificate, *expired, *many[place:])
        pair = pair_of(stack, f"new {place}", newest.issue("new", organizations=["system:masters"]))
        until(lambda pair=pair: stack.status(PATH, stack.http(pair=pair)) == 200, "Envoy has the new file")

        assert answers(stack) == 200


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP521R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_client_may_have_any_key_that_kube_apiserver_takes(key: PrivateKey, stack: Stack, backend: Backend) -> None:
    """It shows its certificate only where the front door offers to verify with such keys."""
    until(lambda: answers(stack) == 200, "the backend is served")
    pair = pair_of(stack, "kim", stack.clients.issue("kim", organizations=["system:masters"], key=key))

    assert stack.status(PATH, stack.http(pair=pair)) == 200
    assert backend.seen[-1].lines("X-Remote-User") == ["kim"]
