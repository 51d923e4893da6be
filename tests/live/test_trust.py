"""How backends are verified, and how they are found."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from backend import Backend
from pki import CertificateAuthority
from stack import Stack, registration, until


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door."""
    with Stack() as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """A backend with a certificate for good.default.svc, which nobody has registered yet."""
    with Backend(*stack.backend_files("good"), stack.root / "proxies-ca.crt") as running:
        yield running


def objects_of(stack: Stack, backend: Backend, name: str, **spec: object) -> list[dict[str, object]]:
    """The registration of <name>.example.com on the Service <name>, with changes to the APIService's spec."""
    objects = registration(f"{name}.example.com", "v1", backend.port, stack.servers.certificate, service=name)
    api_spec = objects[0]["spec"]
    assert isinstance(api_spec, dict)
    api_spec.update(spec)
    objects[0]["spec"] = {key: value for key, value in api_spec.items() if value is not None}
    return objects


def settles_at(stack: Stack, name: str, expected: int) -> None:
    """Waits until the API answers that status."""
    client = stack.http("admin", "system:masters")
    until(lambda: stack.status(f"/apis/{name}.example.com/v1/x", client) == expected, f"{name} answers {expected}")


def test_a_backend_with_the_right_ca_and_name_is_served(stack: Stack, backend: Backend) -> None:
    """CaBundle and <service>.<namespace>.svc fit."""
    stack.drop("good.yaml", *objects_of(stack, backend, "good"))

    settles_at(stack, "good", 200)


def test_a_backend_whose_certificate_names_another_service_is_not_believed(stack: Stack, backend: Backend) -> None:
    """The name is checked, not only the authority."""
    stack.drop("misnamed.yaml", *objects_of(stack, backend, "misnamed"))

    settles_at(stack, "misnamed", 503)


def test_a_backend_of_another_authority_is_not_believed(stack: Stack, backend: Backend) -> None:
    """CaBundle decides."""
    other = base64.b64encode(CertificateAuthority("other").certificate).decode()
    objects = objects_of(stack, backend, "good", caBundle=other)
    objects[0]["metadata"] = {"name": "v1.other.example.com"}
    spec = objects[0]["spec"]
    assert isinstance(spec, dict)
    spec["group"] = "other.example.com"
    stack.drop("other.yaml", objects[0])

    settles_at(stack, "other", 503)


def test_without_a_ca_bundle_the_systems_roots_decide(stack: Stack, backend: Backend) -> None:
    """Our own authority is not among them."""
    stack.drop("roots.yaml", *objects_of(stack, backend, "roots", caBundle=None))

    settles_at(stack, "roots", 503)


def test_insecure_skip_tls_verify_checks_nothing(stack: Stack, backend: Backend) -> None:
    """Neither name nor authority matter."""
    stack.drop("lax.yaml", *objects_of(stack, backend, "lax", caBundle=None, insecureSkipTLSVerify=True))

    settles_at(stack, "lax", 200)


def test_an_external_name_is_resolved_by_envoy(stack: Stack, backend: Backend) -> None:
    """An ExternalName Service reaches its host; the certificate must still name the Service."""
    objects = objects_of(stack, backend, "good", service={"name": "good", "namespace": "default", "port": backend.port})
    stack.remove("good.yaml")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "good", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    stack.drop("good.yaml", objects[0], service)

    settles_at(stack, "good", 200)
