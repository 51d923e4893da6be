"""The demo API server of examples/servicecatalog, as a process behind a front door.

In: a `Stack`. Out: servicecatalog.k8s.io/v1beta1, served through it. Law: the server is started as its README says, and
knows nothing of the one who starts it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kube import read_audit
from stack import ROOT, Process, Stack, registration, until

GROUP = "servicecatalog.k8s.io"
FOLDER = ROOT / "examples" / "servicecatalog"
SAMPLE = FOLDER / "manifests" / "sample.yaml"


@contextmanager
def service_catalog(stack: Stack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Starts the server, registers it and waits until it is served; what it yields reads its audit log."""
    certificate, key = stack.backend_files("servicecatalog")
    audit = stack.root / "servicecatalog-audit.log"
    flags = {
        "secure-port": 0,
        "tls-cert-file": certificate,
        "tls-private-key-file": key,
        "requestheader-client-ca-file": stack.root / "proxies-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "audit-log-path": audit,
    }
    command = [sys.executable, "-m", "servicecatalog", *(f"--{name}={value}" for name, value in flags.items())]
    process = Process(command, stack.root / "servicecatalog.log", {"PYTHONPATH": str(FOLDER)})
    try:
        until(lambda: not process.running or _port(process), "the demo server says where it listens")
        port = _port(process)
        assert port, process.log.read_text()
        objects = registration(GROUP, "v1beta1", port, stack.servers.certificate, service="servicecatalog")
        stack.drop("servicecatalog.yaml", *objects)
        admin = stack.http("admin", "system:masters")
        until(lambda: stack.status(f"/apis/{GROUP}/v1beta1", admin) == 200, "the demo server is served")
        yield lambda: read_audit(audit)
    finally:
        process.stop()


def _port(process: Process) -> int:
    found = re.search(r"^serving .* on https://[^ ]+:(\d+)$", process.log.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
