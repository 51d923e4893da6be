"""The authority that the core API server is verified by, replaced while everything runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend import Backend
from pki import CertificateAuthority
from stack import PATIENCE, ROOT, Stack, until

OLD, NEW = CertificateAuthority("old core"), CertificateAuthority("new core")


@pytest.fixture
def core(tmp_path: Path) -> Iterator[tuple[Backend, CertificateAuthority]]:
    """A core API server that the new authority vouches for, and the authority of those who ask it."""
    proxies = CertificateAuthority("front proxies")
    certificate, key = NEW.issue("core", ip_addresses=["127.0.0.1"], client=False)
    for name, content in (("core.crt", certificate), ("core.key", key), ("proxies.crt", proxies.certificate)):
        (tmp_path / name).write_bytes(content)
    with Backend(tmp_path / "core.crt", tmp_path / "core.key", tmp_path / "proxies.crt") as running:
        yield running, proxies


def problems(stack: Stack) -> str:
    """What `isthmus status` says is wrong."""
    command = [sys.executable, "-m", "controlplane", "status", "--config", str(stack.settings)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE).stderr


def test_the_core_is_believed_by_the_file_of_now(core: tuple[Backend, CertificateAuthority], tmp_path: Path) -> None:
    """Not before its authority is in the file, from then on without a restart, and not after it was taken out.

    A watch that is open never notices.
    """
    backend, proxies = core
    trusted = tmp_path / "trusted.crt"

    def trust(authority: bytes) -> None:
        spare = tmp_path / "trusted.new"
        spare.write_bytes(authority)
        spare.replace(trusted)

    trust(OLD.certificate)
    settings = {"server": f"https://127.0.0.1:{backend.port}", "caFile": str(trusted)}
    with Stack(core=settings, proxies=proxies) as stack:
        admin = stack.http("admin", "system:masters")
        assert stack.status("/api/v1/x", admin) == 503
        trust(OLD.certificate + NEW.certificate)
        until(lambda: stack.status("/api/v1/x", admin) == 200, "the new authority counts")
        watch = admin.request("GET", f"{stack.url}/api/v1/x?watch=1", preload_content=False)
        until(lambda: backend.watchers == 1, "the watch is open")
        trust(b"nonsense")
        until(lambda: "core.caFile" in problems(stack), "a file that cannot be used is reported")
        assert stack.status("/api/v1/x", admin) == 200
        trust(OLD.certificate)
        until(lambda: stack.status("/api/v1/x", admin) == 503, "the new authority counts no more")
        backend.emit("still here")
        assert watch.readline() == b"still here\n"
        watch.close()
