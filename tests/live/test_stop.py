"""The end of a control plane: said at once, in order, soon; and what the real Envoy does without it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import urllib3
import yaml
from backend import Backend
from kube import read_audit
from rbac import grant
from stack import Stack, registration, until

GROUP = "echo.example.com"
THINGS = f"/apis/{GROUP}/v1/namespaces/default/things"
READ = {"apiGroups": [GROUP], "resources": ["things"], "verbs": ["get", "list", "watch"]}
POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}


@pytest.mark.parametrize("workers", [0, 2])
def test_the_control_plane_stops_in_order_and_envoy_serves_on(workers: int) -> None:
    """Unready at once, gone within five seconds with nothing lost; known requests are served, others wait for it."""
    settings: dict[str, dict[str, object]] = {
        "verdictCache": {"ttl": "5m", "debugHeader": True},
        "audit": {"policyFile": "audit.yaml", "log": {"path": "audit.log"}},
    }
    stack = Stack(settings=settings)
    stack.set("authorization", workers=workers)
    (stack.root / "audit.yaml").write_text(yaml.safe_dump(POLICY))
    with stack, Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        stack.drop("echo.yaml", *registration(GROUP, "v1", backend.port, stack.servers.certificate))
        stack.drop("rights.yaml", *grant("reader", READ, groups=["developers"]))
        known, unknown = stack.http("known", "developers"), stack.http("unknown", "developers")
        until(lambda: told(stack, known) == (200, "hit"), "the backend is served and the verdict is known")
        watch = known.request("GET", f"{stack.url}{THINGS}?watch=1", preload_content=False)
        until(lambda: audited(stack.root) >= 2, "the audit log is written")
        until(lambda: stack.page("/readyz") == "ok", "it is ready")
        children = [] if not workers else worker_pids(stack)

        began = time.monotonic()
        assert stack.control_plane is not None
        os.kill(stack.control_plane.pid, signal.SIGTERM)
        seen = pages_until_gone(stack)
        took = time.monotonic() - began

        assert seen
        assert "[-]shutdown failed: reason withheld" in seen[0]
        assert "[-]xds failed: reason withheld" in seen[-1]
        print(f"stopped after {took:.2f} s")
        assert took < 5
        assert 0 == stack.control_plane._child.returncode
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert "Traceback" not in stack.control_plane.log.read_text()
        assert (200, "hit") == told(stack, known)
        refused = unknown.request("GET", stack.url + THINGS)
        assert (503, "1") == (refused.status, refused.headers["Retry-After"])
        backend.emit("still here")
        assert b"still here\n" == next(watch.stream())

        stack.start_control_plane()
        until(lambda: told(stack, unknown)[0] == 200, "it is back, and asked")


def pages_until_gone(stack: Stack) -> list[str]:
    """What /readyz said from one moment to the last before the process was gone."""
    seen: list[str] = []
    assert stack.control_plane is not None

    def gone() -> bool:
        try:
            page = stack.page("/readyz")
        except OSError:
            return not stack.control_plane.running
        # The signal may not have arrived yet.
        if page != "ok":
            seen.append(page)
        return False

    until(gone, "the control plane has ended")
    return seen


def told(stack: Stack, client: urllib3.PoolManager) -> tuple[int, str]:
    """The status of a request, and whether its verdict was known."""
    response = client.request("GET", stack.url + THINGS)
    return response.status, response.headers.get("X-Isthmus-Verdict", "")


def audited(root: Path) -> int:
    """How many events the audit log has."""
    path = root / "audit.log"
    return len(read_audit(path)) if path.exists() else 0


def worker_pids(stack: Stack) -> list[int]:
    """The process ids of the workers: the children of the control plane's children, or those themselves."""
    assert stack.control_plane is not None
    text = Path(f"/proc/{stack.control_plane.pid}/task/{stack.control_plane.pid}/children").read_text()
    return [int(pid) for pid in text.split()]
