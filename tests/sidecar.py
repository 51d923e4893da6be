"""A whole `isthmus sidecar` for live tests: one process, with the real Envoy under it.

In: options. Out: a front door or a local endpoint on 127.0.0.1. Law: whatever it starts it ends.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import urllib3
from pki import CertificateAuthority
from plain_server import GROUP, VERSION
from process import PATIENCE, Process, free_port, until


class Sidecar:
    """`with Sidecar(options) as sidecar:` starts it and waits until it is ready; `port` is where it listens."""

    def __init__(self, *options: str, serves: str = "localhost") -> None:
        """`serves` is the DNS name in the certificate at `certificate`, beside 127.0.0.1."""
        self.root = Path(tempfile.mkdtemp(prefix="sidecar-"))
        self.port = free_port()
        self.servers, self.clients = CertificateAuthority("servers"), CertificateAuthority("clients")
        self.log = self.root / "log"
        self._serves = serves
        self._options = options
        self._process: Process | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The front door's address."""
        return f"https://127.0.0.1:{self.port}"

    def before(self, upstream: str) -> Sequence[str]:
        """The options for the API server `upstream` of the tests' group, with certificates of `servers`."""
        issued = self.servers.issue("server", dns_names=[self._serves], ip_addresses=["127.0.0.1"], client=False)
        certificate, key = self.save("serving", issued)
        options = {
            "upstream": upstream,
            "group": GROUP,
            "version": VERSION,
            "listen": f"127.0.0.1:{self.port}",
            "certificate-file": certificate,
            "private-key-file": key,
        }
        return [f"--{name}={value}" for name, value in options.items()]

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        command = [sys.executable, "-m", "controlplane", "sidecar", f"--directory={self.root / 'work'}", *self._options]
        self._process = Process(command, self.log)
        until(self._ready, f"it is ready; see {self.root}")

    def add(self, *options: str) -> Self:
        """Adds options, before it is started."""
        self._options += options
        return self

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.running

    def signal(self) -> None:
        """Asks it to end."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Ends it and removes its folder."""
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def save(self, name: str, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
        """Files of a certificate and its key."""
        certificate, key = self.root / f"{name}.crt", self.root / f"{name}.key"
        certificate.write_bytes(pair[0])
        key.write_bytes(pair[1])
        return certificate, key

    def authority(self, name: str, authority: CertificateAuthority) -> Path:
        """A file of the authority's certificate."""
        path = self.root / f"{name}-ca.crt"
        path.write_bytes(authority.certificate)
        return path

    def http(self, name: str = "", *groups: str) -> urllib3.PoolManager:
        """A client, with a certificate of `clients` when there is a name."""
        context = ssl.create_default_context(cadata=self.servers.certificate.decode())
        if name:
            pair = self.save(name, self.clients.issue(name, organizations=groups, server=False))
            context.load_cert_chain(*pair)
        return urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(PATIENCE))

    def probe(self, path: str) -> tuple[int, str]:
        """Status and text of one of the pages for orchestrators."""
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(PATIENCE)
            made.connect(str(self.root / "work" / "run" / "metrics.sock"))
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            with contextlib.closing(http.client.HTTPResponse(made)) as response:
                response.begin()
                return response.status, response.read().decode()

    def proxies(self) -> str:
        """What `isthmus proxies` says of it, by the settings that it has written down."""
        config = self.root / "work" / "config.yaml"
        command = [sys.executable, "-m", "controlplane", "proxies", f"--config={config}", "-o", "json"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.running, self.log.read_text()[-3000:]
        with contextlib.suppress(OSError):
            if self.probe("/readyz")[0] != 200:
                return False
            unix = [option for option in self._options if option.startswith("--listen=unix:")]
            if unix:
                with socket.socket(socket.AF_UNIX) as made:
                    made.connect(unix[-1].removeprefix("--listen=unix:"))
                    return True
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        return False
