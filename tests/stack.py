"""A whole Isthmus for live tests: control plane and the real Envoy as processes, certificates of its own, kubectl.

In: manifests. Out: a front door on 127.0.0.1. Law: whatever it starts it ends, and it waits for events, never for time.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import kubectl
import orjson
import urllib3
import yaml
from pki import CertificateAuthority
from process import PATIENCE, ROOT, Process, envoy_binary, free_port, until
from prometheus_client.parser import text_string_to_metric_families

from controlplane.settings.address import Address
from controlplane.settings.load import load
from controlplane.translation.bootstrap import bootstrap
from controlplane.translation.own_tls import own_tls

__all__ = ["PATIENCE", "ROOT", "Process", "Stack", "envoy_binary", "free_port", "registration", "until"]


class Stack:
    """One front door. `with Stack() as stack:` starts it and ends it."""

    def __init__(
        self,
        *,
        core: Mapping[str, object] | None = None,
        authentication: Mapping[str, object] | None = None,
        proxies: CertificateAuthority | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        envoy_workers: int = 1,
    ) -> None:
        """`settings` are sections to have instead of, or besides, those of a stack that speaks over Unix sockets."""
        self._envoy_workers = envoy_workers
        self.root = Path(tempfile.mkdtemp(prefix="isthmus-"))
        self.manifests = self.root / "manifests"
        self.manifests.mkdir()
        self.port = free_port()
        self.clients = CertificateAuthority("clients")
        self.servers = CertificateAuthority("servers")
        self.proxies = proxies or CertificateAuthority("front-proxy")
        self.settings = self._write_settings({"core": core, "authentication": authentication, **(settings or {})})
        self.control_plane: Process | None = None
        self.envoy: Process | None = None
        self.admin = str(self.root / "admin.sock")

    def __enter__(self) -> Self:
        try:
            self.start_control_plane()
            self.start_envoy()
            until(self.listening, f"the front door listens; see {self.root}")
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

    def set(self, section: str, **settings: object) -> None:
        """Writes more into a section of the settings, for the next start of the control plane."""
        document = yaml.safe_load(self.settings.read_text())
        document[section] = {**document[section], **settings}
        self.settings.write_text(yaml.safe_dump(document))

    def start_control_plane(self) -> None:
        """Starts `isthmus serve`."""
        command = [sys.executable, "-m", "controlplane", "serve", "--config", str(self.settings)]
        self.control_plane = Process(command, self.root / "control-plane.log")

    def start_envoy(self) -> None:
        """Starts Envoy with the bootstrap that `isthmus bootstrap` would print."""
        loaded = load(self.settings)
        document = bootstrap(
            loaded.xds.reached_at,
            node_id="test",
            node_cluster="test",
            admin=Address(path=self.admin),
            tls=own_tls(loaded.xds, loaded.envoy),
        )
        path = self.root / "envoy.json"
        path.write_bytes(orjson.dumps(document))
        command = [
            envoy_binary(),
            "-c",
            str(path),
            "--disable-hot-restart",
            "--log-level",
            "info",
            "--concurrency",
            str(self._envoy_workers),
        ]
        self.envoy = Process(command, self.root / "envoy.log")

    def stop(self) -> None:
        """Ends both processes and removes the folder."""
        for process in (self.envoy, self.control_plane):
            if process is not None:
                process.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def listening(self) -> bool:
        """Whether the front door accepts connections."""
        for process in (self.envoy, self.control_plane):
            assert process is not None
            assert process.running, process.log.read_text()[-3000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def drop(self, name: str, *objects: Mapping[str, object]) -> None:
        """Writes manifests into the watched folder by renaming, so that no half file is ever seen."""
        temporary = self.root / f"{name}.tmp"
        temporary.write_text(yaml.safe_dump_all(objects))
        temporary.rename(self.manifests / name)

    def remove(self, name: str) -> None:
        """Removes a file of manifests."""
        (self.manifests / name).unlink()

    def user(self, name: str, *groups: str) -> tuple[Path, Path]:
        """Files with a client certificate and key of that user."""
        certificate, key = self.root / f"{name}.crt", self.root / f"{name}.key"
        if not certificate.exists():
            pem, private = self.clients.issue(name, organizations=groups, server=False)
            key.write_bytes(private)
            certificate.write_bytes(pem)
        return certificate, key

    def http(self, name: str = "", *groups: str, pair: tuple[Path, Path] | None = None) -> urllib3.PoolManager:
        """An HTTP/1.1 client, with that user's certificate when there is a name."""
        context = ssl.create_default_context(cadata=self.servers.certificate.decode())
        chosen = pair or (self.user(name, *groups) if name else None)
        if chosen is not None:
            context.load_cert_chain(*chosen)
        return urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(PATIENCE))

    def status(self, path: str, client: urllib3.PoolManager, **headers: str) -> int:
        """The status of a GET."""
        return client.request("GET", self.url + path, headers=headers).status

    def kubeconfig(self, name: str, *groups: str) -> Path:
        """A kubeconfig for that user."""
        path = self.root / f"{name}.kubeconfig"
        certificate, key = self.user(name, *groups)
        kubectl.write_config(path, self.url, self.servers.certificate, certificate, key)
        return path

    def kubectl(self, *arguments: str, user: str = "admin", text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the real kubectl as `admin` (system:masters) or another user (group developers)."""
        return kubectl.run(self.kubeconfig(user, *_groups(user)), *arguments, text=text)

    @contextlib.contextmanager
    def kubectl_running(self, *arguments: str, user: str = "admin") -> Iterator[Process]:
        """A kubectl that does not end by itself, a watch; what it prints is in the process's log."""
        command, environment = kubectl.command(self.kubeconfig(user, *_groups(user)), *arguments)
        process = Process(command, self.root / f"kubectl-{free_port()}.log", environment)
        try:
            yield process
        finally:
            process.stop(signal.SIGINT)

    def stats(self, pattern: str, admin: str = "") -> dict[str, int]:
        """Envoy's counters and gauges whose name matches the regular expression; `admin` is another Envoy's socket."""
        connection = _UnixConnection(admin or self.admin)
        connection.request("GET", f"/stats?format=json&filter={quote(pattern)}")
        body = json.loads(connection.getresponse().read())
        connection.close()
        return {item["name"]: item["value"] for item in body["stats"] if "name" in item}

    def hosts(self, cluster: str) -> dict[str, int]:
        """How many requests Envoy has sent to each address of a cluster."""
        connection = _UnixConnection(self.admin)
        connection.request("GET", "/clusters?format=json")
        body = json.loads(connection.getresponse().read())
        connection.close()
        found = next(each for each in body["cluster_statuses"] if each["name"] == cluster)
        return {
            _shown(host["address"]): int(stat.get("value", 0))
            for host in found["host_statuses"]
            for stat in host["stats"]
            if stat["name"] == "rq_total"
        }

    def page(self, path: str) -> str:
        """One of the control plane's own HTTP pages."""
        with contextlib.closing(_UnixConnection(str(self.root / "metrics.sock"))) as connection:
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def metric(self, name: str) -> dict[str, float]:
        """The control plane's samples of that metric by their labels, as Prometheus would read them."""
        families = (family for family in text_string_to_metric_families(self.page("/metrics")))
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return {",".join(sample.labels.values()): sample.value for sample in samples}

    def backend_files(self, name: str, namespace: str = "default") -> tuple[Path, Path]:
        """A serving certificate and key for <name>.<namespace>.svc."""
        certificate, key = self.root / f"{namespace}-{name}.crt", self.root / f"{namespace}-{name}.key"
        host = f"{name}.{namespace}.svc"
        pem, private = self.servers.issue(host, dns_names=[host], client=False)
        certificate.write_bytes(pem)
        key.write_bytes(private)
        return certificate, key

    def _write_settings(self, sections: Mapping[str, Mapping[str, object] | None]) -> Path:
        serving = self.servers.issue("front", dns_names=["localhost"], ip_addresses=["127.0.0.1"], client=False)
        proxy = self.proxies.issue("front-proxy-client", server=False)
        for name, (certificate, key) in {"serving": serving, "proxy": proxy}.items():
            (self.root / f"{name}.crt").write_bytes(certificate)
            (self.root / f"{name}.key").write_bytes(key)
        for name, authority in {"clients": self.clients, "servers": self.servers, "proxies": self.proxies}.items():
            (self.root / f"{name}-ca.crt").write_bytes(authority.certificate)
        document = {
            "frontDoor": {
                "port": self.port,
                "certificateFile": "serving.crt",
                "privateKeyFile": "serving.key",
                "clientCAFile": "clients-ca.crt",
            },
            "frontProxy": {"certificateFile": "proxy.crt", "privateKeyFile": "proxy.key"},
            "manifests": "manifests",
            "xds": {"listen": f"unix:{self.root}/xds.sock"},
            "authorization": {"listen": f"unix:{self.root}/authorization.sock"},
            "discovery": {"listen": f"unix:{self.root}/discovery.sock"},
            "admin": {"listen": f"unix:{self.root}/status.sock"},
            "metrics": {"listen": f"unix:{self.root}/metrics.sock"},
            **{name: dict(section) for name, section in sections.items() if section},
        }
        path = self.root / "isthmus.yaml"
        path.write_text(yaml.safe_dump(document))
        return path


def registration(
    group: str, version: str, port: int, ca: bytes, *, service: str = "backend", namespace: str = "default"
) -> list[dict[str, object]]:
    """APIService, Service and EndpointSlice of a backend on 127.0.0.1."""
    meta = {"name": service, "namespace": namespace}
    return [
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{version}.{group}"},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 1000,
                "versionPriority": 10,
                "service": {"name": service, "namespace": namespace, "port": 443},
                "caBundle": _encoded(ca),
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        },
    ]


def _shown(address: dict[str, dict[str, object]]) -> str:
    if "pipe" in address:
        return str(address["pipe"]["path"])
    return f"{address['socket_address']['address']}:{address['socket_address']['port_value']}"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connects to the Unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def _groups(user: str) -> list[str]:
    return ["system:masters"] if user == "admin" else ["developers"]


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
