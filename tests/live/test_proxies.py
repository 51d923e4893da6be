"""What a control plane tells of the real Envoy."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from stack import PATIENCE, ROOT, Stack, registration, until


def proxies(stack: Stack, *options: str) -> str:
    """What `isthmus proxies` prints."""
    command = [sys.executable, "-m", "controlplane", "proxies", "--config", str(stack.root / "isthmus.yaml"), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout


def settled(stack: Stack) -> dict[str, Any]:
    """The only Envoy, once it holds everything that is registered."""
    found: list[dict[str, Any]] = []

    def in_step() -> bool:
        found[:] = json.loads(proxies(stack, "-o", "json"))["proxies"]
        return [proxy["state"] for proxy in found] == ["SYNCED"]

    until(in_step, "the Envoy is SYNCED")
    return found[0]


def test_envoy_is_synced_before_and_after_a_registration() -> None:
    """Every type that the Envoy subscribes to is SYNCED, for the table and for programs."""
    with Stack() as stack:
        before = settled(stack)
        stack.drop("a.yaml", *registration("a.example.com", "v1", 1, stack.servers.certificate))
        until(
            lambda: int(settled(stack)["ackedGeneration"]) > int(before["ackedGeneration"]),
            "the registration is acknowledged",
        )
        after = settled(stack)
        header, line = proxies(stack).splitlines()

    kinds = {kind["typeUrl"].rpartition(".")[2]: kind for kind in after["types"]}

    assert (after["nodeId"], after["protocol"], after["version"].startswith("1.40.")) == ("test", "delta", True)
    assert {"Cluster", "ClusterLoadAssignment", "Listener", "ScopedRouteConfiguration", "Secret"} <= kinds.keys()
    assert {"SYNCED"} == {kind["state"] for kind in kinds.values()}
    assert all(kind["ackedNonce"] == kind["sentNonce"] for kind in kinds.values())
    assert header.split()[:7] == ["NODE", "CLUSTER", "VERSION", "CDS", "EDS", "LDS", "SRDS"]
    assert line.split()[:7] == ["test", "test", after["version"], *["SYNCED"] * 4]
