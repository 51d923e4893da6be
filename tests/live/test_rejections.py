"""One registration that Envoy rejects among a hundred that it takes: who serves, what is sent, and what status says."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from backend import Backend
from pki import CertificateAuthority
from stack import PATIENCE, ROOT, Stack, registration, until

NAMES = [f"api{number}" for number in range(100)]
POISONED, EDITED = "v1.poisoned.example.com", "v1.edited.example.com"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A front door."""
    with Stack() as running:
        yield running


@pytest.fixture(scope="module")
def backend(stack: Stack) -> Iterator[Backend]:
    """One server that is the backend of every API here, under all their names."""
    hosts = [f"{name}.default.svc" for name in (*NAMES, "poisoned", "edited")]
    certificate, key = stack.servers.issue("all", dns_names=hosts, client=False)
    for file, content in (("all.crt", certificate), ("all.key", key)):
        (stack.root / file).write_bytes(content)
    with Backend(stack.root / "all.crt", stack.root / "all.key", stack.root / "proxies-ca.crt") as running:
        yield running


def registered(name: str, backend: Backend, ca: bytes) -> list[dict[str, object]]:
    """A registration with a Service, and so a cluster, of its own."""
    return registration(f"{name}.example.com", "v1", backend.port, ca, service=name)


def poison() -> bytes:
    """A CA certificate with a name that is not UTF-8, which Envoy looks at as it loads it and we do not."""
    name = b"poison"
    good = ssl.PEM_cert_to_DER_cert(CertificateAuthority(name.decode()).certificate.decode())
    return ssl.DER_cert_to_PEM_cert(good.replace(name, b"poiso\xff")).encode()


def isthmus(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What that command prints."""
    command = [sys.executable, "-m", "controlplane", *arguments, "--config", str(stack.root / "isthmus.yaml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)


def conditions(stack: Stack) -> dict[str, dict[str, Any]]:
    """The APIServices by name, as `isthmus status -o json` tells them."""
    told = json.loads(isthmus(stack, "status", "-o", "json").stdout)
    return {api["name"]: api for api in told["apiServices"]}


def clusters_sent(stack: Stack) -> tuple[float, float]:
    """How many clusters were written to Envoys, and how many responses with clusters they rejected."""
    resources, nacks = stack.metric("isthmus_xds_resources_total"), stack.metric("isthmus_xds_nacks_total")
    return resources.get("Cluster", 0), nacks.get("Cluster", 0)


def serving(stack: Stack) -> set[int]:
    """The statuses of the hundred."""
    client = stack.http("admin", "system:masters")
    return {stack.status(f"/apis/{name}.example.com/v1/things", client) for name in NAMES}


def answer(stack: Stack, name: str) -> int:
    """The status of one."""
    return stack.status(f"/apis/{name}.example.com/v1/things", stack.http("admin", "system:masters"))


def test_a_poisoned_registration_harms_only_itself_and_its_status_says_why(stack: Stack, backend: Backend) -> None:
    """A hundred and one are registered at once, one of them bad; a hundred serve, and that one does once mended."""
    ca = stack.servers.certificate
    before = clusters_sent(stack)
    all_of_them = [registered(name, backend, ca) for name in NAMES]
    all_of_them.insert(50, registered("poisoned", backend, poison()))

    stack.drop("all.yaml", *(manifest for manifests in all_of_them for manifest in manifests))
    until(lambda: serving(stack) == {200}, "a hundred APIs are served")
    until(lambda: conditions(stack)[POISONED]["programmed"] == "False", "the cause is told")

    resources, nacks = clusters_sent(stack)
    told = conditions(stack)
    table = isthmus(stack, "status")
    text = yaml.safe_load(isthmus(stack, "status", "-o", "yaml").stdout)
    bad = told.pop(POISONED)
    lines = {line.split()[0]: line.split()[1:] for line in table.stdout.splitlines()}

    assert answer(stack, "poisoned") == 404
    # Once all together, and once apart: the others, and the guilty one by itself.
    assert (resources - before[0], nacks - before[1]) == (202, 2)
    assert {(api["available"], api["programmed"], api["programmedReason"]) for api in told.values()} == {
        ("True", "True", "Programmed")
    }
    assert (bad["available"], bad["reason"]) == ("False", "NotProgrammed")
    assert bad["programmedReason"] == "Rejected"
    assert bad["programmedMessage"].startswith("Cluster backend/default/poisoned/443/")
    assert "Failed to load trusted CA certificates" in bad["programmedMessage"]
    assert bad["programmedMessage"].endswith("; there is nothing older that could stay in force")
    assert text["apiServices"] == [*told.values(), bad]
    assert lines[POISONED][:5] == ["default/poisoned", "False", "(NotProgrammed)", "False", "(Rejected)"]
    assert lines["v1.api7.example.com"][:3] == ["default/api7", "True", "True"]
    assert f"{POISONED}: {bad['programmedMessage']}" in table.stdout.splitlines()
    assert table.stderr == ""

    # Neither another change nor another Envoy is a reason to send it again.
    assert stack.envoy is not None
    stack.envoy.stop()
    stack.start_envoy()
    until(stack.listening, "the front door listens again")
    until(lambda: serving(stack) == {200}, "a hundred APIs are served again")
    assert clusters_sent(stack)[1] - before[1] == 2
    assert conditions(stack)[POISONED]["programmedMessage"] == bad["programmedMessage"]

    all_of_them[50] = registered("poisoned", backend, ca)
    stack.drop("all.yaml", *(manifest for manifests in all_of_them for manifest in manifests))
    until(lambda: answer(stack, "poisoned") == 200, "the mended one is served")
    assert {(api["available"], api["programmed"]) for api in conditions(stack).values()} == {("True", "True")}
    assert clusters_sent(stack)[1] - before[1] == 2


def test_a_poisoned_change_leaves_in_force_what_was_there(stack: Stack, backend: Backend) -> None:
    """What is registered alone and bad is sent exactly once; the API goes on serving, and its status says both."""
    ca = stack.servers.certificate
    stack.drop("edited.yaml", *registered("edited", backend, ca))
    until(lambda: answer(stack, "edited") == 200, "the API is served")
    resources, nacks = clusters_sent(stack)

    stack.drop("edited.yaml", *registered("edited", backend, poison()))
    until(lambda: conditions(stack)[EDITED]["programmed"] == "False", "the cause is told")

    told = conditions(stack)[EDITED]
    assert clusters_sent(stack) == (resources + 1, nacks + 1)
    assert answer(stack, "edited") == 200
    assert (told["available"], told["reason"]) == ("True", "Passed")
    assert told["programmedMessage"].endswith("; what was in force before stays in force")

    stack.drop("edited.yaml", *registered("edited", backend, ca))
    until(lambda: conditions(stack)[EDITED]["programmed"] == "True", "the change is taken back")
    assert answer(stack, "edited") == 200
    assert clusters_sent(stack)[1] == nacks + 1


def test_what_is_poisoned_from_the_start_harms_only_itself() -> None:
    """There before control plane and Envoy are, it is rejected as itself, not by way of the certificate all share."""
    stack = Stack()
    ca = stack.servers.certificate
    files = stack.backend_files("good")
    with Backend(*files, stack.root / "proxies-ca.crt") as backend:
        good, bad = registered("good", backend, ca), registered("poisoned", backend, poison())
        stack.drop("all.yaml", *good, *bad)
        with stack:
            for _ in range(2):
                until(lambda: answer(stack, "good") == 200, "the good one is served")
                until(lambda: conditions(stack)[POISONED]["programmed"] == "False", "the cause is told")
                told = conditions(stack)
                assert told[POISONED]["programmedMessage"].startswith("Cluster backend/default/poisoned/443/")
                assert (told["v1.good.example.com"]["available"], told["v1.good.example.com"]["programmed"]) == (
                    "True",
                    "True",
                )
                assert stack.envoy is not None
                stack.envoy.stop()
                stack.start_envoy()
                until(stack.listening, "the front door listens again")
