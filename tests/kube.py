"""A real kube-apiserver with its etcd, without a cluster.

In: nothing. Out: an API server on 127.0.0.1 that trusts the front-proxy authority it comes with, and tells in its audit
log whom it took each request for. Law: whatever it starts it ends, and it waits for events, never for time.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import kubectl
import urllib3
import yaml
from pki import CertificateAuthority
from stack import PATIENCE, Process, free_port, until
from upstream.build import binary

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
# By which pods know it.
NAME = "kubernetes.default.svc"
# What a real server takes to start on a busy machine.
_START = 3 * PATIENCE


class KubeApiServer:
    """One kube-apiserver. `with KubeApiServer() as kube:` starts it and ends it.

    `front_proxy` is the authority whose certificate of "front-proxy-client" may speak for other users, here and at
    every API server that asks this one whom to trust; `serving` has issued its own certificate.
    """

    def __init__(self, *, clients: CertificateAuthority | None = None, tokens: str = "") -> None:
        """`clients` is the authority of client certificates, `tokens` the text of a token file."""
        self.root = Path(tempfile.mkdtemp(prefix="kube-"))
        self.front_proxy = CertificateAuthority("front-proxy")
        self.serving = CertificateAuthority("kube-serving")
        self.clients = clients or CertificateAuthority("kube-clients")
        self._tokens = tokens
        self._port, self._etcd_port = free_port(), free_port()
        self._processes: list[Process] = []
        for name, authority in {"serving": self.serving, "clients": self.clients, "proxies": self.front_proxy}.items():
            (self.root / f"{name}-ca.crt").write_bytes(authority.certificate)
        self.save("serving", self.serving.issue("kube", dns_names=[NAME], ip_addresses=["127.0.0.1"], client=False))
        self.save("accounts", self.serving.issue("service-accounts", client=False, server=False))
        self.save("proxy", self.front_proxy.issue("front-proxy-client", server=False))
        admin = self.save("admin", self.clients.issue("admin", organizations=["system:masters"], server=False))
        (self.root / "tokens.csv").write_text(tokens)
        self.audit_policy = self.root / "audit.yaml"
        self.audit_policy.write_text(yaml.safe_dump(AUDIT_POLICY))
        self.kubeconfig = self.root / "admin.kubeconfig"
        kubectl.write_config(self.kubeconfig, self.url, self.serving.certificate, *admin)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(*admin)
        self._client = urllib3.PoolManager(ssl_context=context, retries=False, timeout=urllib3.Timeout(PATIENCE))

    def __enter__(self) -> Self:
        try:
            self._processes.append(Process(self._etcd(), self.root / "etcd.log"))
            self._processes.append(Process(self._kube_apiserver(), self.root / "kube-apiserver.log"))
            until(self._ready, f"kube-apiserver is ready; see {self.root}", _START)
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
        """Its address."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The id of kube-apiserver's process."""
        return self._processes[-1].pid

    @property
    def ca_file(self) -> Path:
        """The authority its serving certificate comes from."""
        return self.root / "serving-ca.crt"

    @property
    def etcd_url(self) -> str:
        """The address of its etcd, which other API servers may use too."""
        return f"http://127.0.0.1:{self._etcd_port}"

    def kubectl(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the real kubectl as system:masters, without Isthmus between them."""
        return kubectl.run(self.kubeconfig, *arguments, text=text)

    def apply(self, *objects: object) -> None:
        """Creates or changes objects, without Isthmus."""
        applied = self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(objects))
        assert applied.returncode == 0, applied.stderr

    def audit(self) -> list[dict[str, Any]]:
        """The audit events so far."""
        return read_audit(self.root / "audit.log")

    def save(self, name: str, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
        """Files of a certificate and its key in the server's own folder."""
        certificate, key = self.root / f"{name}.crt", self.root / f"{name}.key"
        certificate.write_bytes(pair[0])
        key.write_bytes(pair[1])
        return certificate, key

    def stop(self) -> None:
        """Ends the processes, etcd last, and removes the folder."""
        self._client.clear()
        for process in reversed(self._processes):
            process.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def _ready(self) -> bool:
        for process in self._processes:
            assert process.running, process.log.read_text()[-3000:]
        try:
            if self._client.request("GET", f"{self.url}/readyz").status != 200:
                return False
            path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
            return b"requestheader-client-ca-file" in self._client.request("GET", self.url + path).data
        except urllib3.exceptions.HTTPError:
            return False

    def _etcd(self) -> list[str]:
        flags = {
            "data-dir": self.root / "etcd",
            "listen-client-urls": self.etcd_url,
            "advertise-client-urls": self.etcd_url,
            "listen-peer-urls": f"http://127.0.0.1:{free_port()}",
            "unsafe-no-fsync": "true",
        }
        return _command("etcd", flags)

    def _kube_apiserver(self) -> list[str]:
        flags = {
            "etcd-servers": self.etcd_url,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self._port,
            "tls-cert-file": self.root / "serving.crt",
            "tls-private-key-file": self.root / "serving.key",
            "client-ca-file": self.root / "clients-ca.crt",
            "authorization-mode": "RBAC",
            "service-account-key-file": self.root / "accounts.crt",
            "service-account-signing-key-file": self.root / "accounts.key",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-cluster-ip-range": "10.0.0.0/24",
            # No controller makes the service accounts that this plug-in waits for.
            "disable-admission-plugins": "ServiceAccount",
            "proxy-client-cert-file": self.root / "proxy.crt",
            "proxy-client-key-file": self.root / "proxy.key",
            "requestheader-client-ca-file": self.root / "proxies-ca.crt",
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-uid-headers": "X-Remote-Uid",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "audit-policy-file": self.audit_policy,
            "audit-log-path": self.root / "audit.log",
            # An empty file of tokens is refused.
            **({"token-auth-file": self.root / "tokens.csv"} if self._tokens else {}),
        }
        return _command("kube-apiserver", flags)


class SampleApiServer:
    """The real sample-apiserver (wardle.example.com) of a kube-apiserver; `with` starts it and ends it.

    It serves as service wardle in namespace default, trusts the front proxies that kube-apiserver's ConfigMap names and
    asks kube-apiserver whether a user may.
    """

    GROUP = "wardle.example.com"
    VERSIONS = ("v1alpha1", "v1beta1")

    def __init__(self, kube: KubeApiServer) -> None:
        self.port = free_port()
        self.ca = kube.serving.certificate
        self._root = Path(tempfile.mkdtemp(prefix="wardle-"))
        certificate, key = kube.serving.issue("wardle", dns_names=["wardle.default.svc"], client=False)
        (self._root / "serving.crt").write_bytes(certificate)
        (self._root / "serving.key").write_bytes(key)
        self._client = urllib3.PoolManager(
            ca_certs=str(kube.ca_file), assert_hostname="wardle.default.svc", server_hostname="wardle.default.svc"
        )
        flags = {
            "etcd-servers": kube.etcd_url,
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "tls-cert-file": self._root / "serving.crt",
            "tls-private-key-file": self._root / "serving.key",
            "kubeconfig": kube.kubeconfig,
            "authentication-kubeconfig": kube.kubeconfig,
            "authorization-kubeconfig": kube.kubeconfig,
            "audit-policy-file": kube.audit_policy,
            "audit-log-path": self._root / "audit.log",
        }
        self._command = _command("sample-apiserver", flags)
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self._process = Process(self._command, self._root / "sample-apiserver.log")
        try:
            until(self._ready, f"sample-apiserver is ready; see {self._root}", _START)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def audit(self) -> list[dict[str, Any]]:
        """The audit events so far."""
        return read_audit(self._root / "audit.log")

    def stop(self) -> None:
        """Ends the process and removes the folder."""
        self._client.clear()
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.running, self._process.log.read_text()[-3000:]
        try:
            return self._client.request("GET", f"https://127.0.0.1:{self.port}/readyz", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def read_audit(path: Path) -> list[dict[str, Any]]:
    """The audit events (audit.k8s.io/v1) in a log; a last line that is still being written is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _command(program: str, flags: dict[str, object]) -> list[str]:
    return [binary(program), *(f"--{name}={value}" for name, value in flags.items())]
