"""The policy of the audit log, replaced while it is in force."""

from __future__ import annotations

import json

import yaml
from stack import Stack, until


def written(stack: Stack, level: str) -> None:
    """Replaces the policy by one that puts everything at this level."""
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": level}]}
    spare = stack.root / ".audit.yaml"
    spare.write_text(yaml.safe_dump(policy))
    spare.rename(stack.root / "audit.yaml")


def told(stack: Stack, prefix: str) -> set[str]:
    """The Audit-IDs with that prefix in the log."""
    log = stack.root / "audit.log"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    ids = {str(json.loads(line)["auditID"]) for line in lines if line.endswith("\n")}
    return {each for each in ids if each.startswith(prefix)}


def asked_until_told(stack: Stack, prefix: str) -> None:
    """Sends requests until one of them is in the log."""
    count = 0

    def sent() -> bool:
        nonlocal count
        count += 1
        stack.http().request("GET", f"{stack.url}/version", headers={"Audit-ID": f"{prefix}-{count}"})
        return bool(told(stack, prefix))

    until(sent, "a request is told of")


def test_a_broken_policy_changes_nothing() -> None:
    """A broken file is reported and leaves the old policy in force."""
    stack = Stack(settings={"audit": {"policyFile": "audit.yaml", "log": {"path": "audit.log"}}})
    written(stack, "Metadata")
    with stack:
        asked_until_told(stack, "first")
        written(stack, "Loud")
        assert stack.control_plane is not None
        log = stack.control_plane.log
        until(lambda: 'Unsupported value: "Loud"' in log.read_text(), "the problem is reported")
        asked_until_told(stack, "second")


def test_a_policy_can_be_made_quiet_and_loud_again() -> None:
    """Each policy in turn says what is told of."""
    stack = Stack(settings={"audit": {"policyFile": "audit.yaml", "log": {"path": "audit.log"}}})
    written(stack, "None")
    with stack:
        stack.status("/version", stack.http(), **{"Audit-ID": "quiet"})
        written(stack, "Metadata")
        asked_until_told(stack, "loud")

        # What Envoy told of came in order.
        assert told(stack, "quiet") == set()
