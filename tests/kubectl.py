"""The real kubectl, as a child process.

In: a kubeconfig and arguments. Out: what it printed. Law: it reads and writes nothing of the person who runs the tests:
its home is the folder of the kubeconfig.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import yaml
from upstream import build


def write_config(path: Path, server: str, ca: bytes, certificate: Path, key: Path) -> None:
    """Writes a kubeconfig for whoever holds that client certificate; `ca` is what the server is verified with, PEM."""
    user = {
        "client-certificate-data": _encoded(certificate.read_bytes()),
        "client-key-data": _encoded(key.read_bytes()),
    }
    cluster = {"server": server, "certificate-authority-data": _encoded(ca)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    path.write_text(yaml.safe_dump(document))


def command(config: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment to run it in."""
    environment = {**os.environ, "HOME": str(config.parent)}
    return [build.binary("kubectl"), "--kubeconfig", str(config), *arguments], environment


def run(config: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs kubectl to its end; `text` is its standard input."""
    line, environment = command(config, *arguments)
    return subprocess.run(line, input=text, capture_output=True, text=True, timeout=60, check=False, env=environment)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
