"""All settings of one control plane.

In: values from a file or the command line. Out: a frozen `Settings`. Law: a `Settings` that exists is usable: whatever
can be judged without touching the network has been judged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from controlplane.settings.address import Address, IpAddress, Port
from controlplane.settings.audit import Audit
from controlplane.settings.authentication import Authentication
from controlplane.settings.face import AdminFace, AuthorizationFace, Face, XdsFace
from controlplane.settings.groups import NodeGroup, checked
from controlplane.settings.section import Section, anchored
from controlplane.settings.sidecar import Sidecar, misplaced
from controlplane.settings.store import Storage
from controlplane.settings.tls import EnvoyTls
from controlplane.settings.tracing import Tracing
from controlplane.settings.verdicts import VerdictCache
from controlplane.settings.webhooks import Authorizers


class FrontDoor(Section):
    """The listener that clients connect to, and its certificate files (PEM)."""

    address: IpAddress = "127.0.0.1"
    """Where Envoy listens, an IP address; 0.0.0.0 for all of IPv4."""
    port: Port = 8443
    """The TCP port."""
    certificate_file: Path
    """What clients see, with intermediate certificates, leaf first."""
    private_key_file: Path
    """The key of it, not encrypted."""
    client_ca_file: Path | None = Field(default=None, alias="clientCAFile")
    """Whose client certificates make users (common name, organizations as groups); not set: none is asked for."""


class FrontProxy(Section):
    """The client certificate shown to backends (PEM files)."""

    certificate_file: Path
    """By which backends know that they may believe X-Remote-User and the like."""
    private_key_file: Path
    """The key of it, not encrypted."""


class Core(Section):
    """The core API server that everything unregistered goes to."""

    server: str
    """https://HOST or https://HOST:PORT."""
    ca_file: Path | None = Field(default=None, alias="caFile")
    """PEM: who may have signed its certificate; the system's roots when not set."""
    insecure_skip_tls_verify: bool = Field(default=False, alias="insecureSkipTLSVerify")
    """Whether its certificate is not looked at."""
    tls_server_name: str = ""
    """The name in its certificate; empty: the host in `server`."""

    @field_validator("server")
    @classmethod
    def _is_https(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError(f"{value!r} is not served over TLS; write https://HOST:PORT")
        host_port = value.removeprefix("https://").removesuffix("/")
        if "/" in host_port:
            raise ValueError(f"{value!r} has a path; write https://HOST:PORT")
        Address.parse(host_port if ":" in host_port else f"{host_port}:443")
        return value

    @property
    def address(self) -> Address:
        """Host and port of the server (443 when none is written)."""
        host_port = self.server.removeprefix("https://").removesuffix("/")
        return Address.parse(host_port if ":" in host_port.rpartition("]")[2] else f"{host_port}:443")

    @model_validator(mode="after")
    def _one_trust(self) -> Core:
        if self.insecure_skip_tls_verify and self.ca_file is not None:
            raise ValueError("caFile and insecureSkipTLSVerify are both set; keep one")
        return self


class Dns(Section):
    """How a Service that no manifest describes is found."""

    template: str = "{name}.{namespace}.svc"
    """The DNS name of such a Service, from {name} and {namespace}."""

    @field_validator("template")
    @classmethod
    def _formats(cls, value: str) -> str:
        try:
            name = value.format(name="a", namespace="b")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{value!r} has a placeholder other than {{name}} and {{namespace}}") from error
        if not name or any(character not in "abcdefghijklmnopqrstuvwxyz0123456789.-" for character in name):
            raise ValueError(f"{value!r} does not make a DNS name; an example is {{name}}.{{namespace}}.svc")
        return value


class Log(Section):
    """How logs are written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least grave lines that are written."""
    format: Literal["json", "text"] = "text"
    """For programs, one object a line, or for people."""


class Settings(Section):
    """All settings of `isthmus serve`."""

    front_door: FrontDoor | None = None
    """The listener that clients connect to; always set, but beside a client."""
    front_proxy: FrontProxy | None = None
    system_roots_file: Path | None = None
    """PEM roots for backends without a caBundle; the operating system's own when not set."""
    node_groups: Annotated[tuple[NodeGroup, ...], AfterValidator(checked)] = ()
    """Which Envoys serve which APIServices; none: every Envoy serves all."""
    manifests: Path
    """The watched folder of manifests."""
    core: Core | None = None
    authentication: Authentication = Authentication()
    authorizers: Authorizers = Authorizers()
    verdict_cache: VerdictCache = VerdictCache()
    dns: Dns = Dns()
    xds: XdsFace
    authorization: AuthorizationFace
    discovery: Face
    envoy: EnvoyTls | None = None
    """What Envoy shows to the three faces above; not set when none of them has `tls`."""
    admin: AdminFace | None = None
    """gRPC: the StatusService, which `isthmus status` and `isthmus proxies` ask, and CSDS; not set: nobody can ask."""
    store: Storage | None = None
    """Where what clients write is kept; not set: they can write nothing."""
    config: Face | None = None
    """gRPC: the ConfigService, by which clients write to the store, and what `admin` tells, by RBAC; not set: none."""
    metrics: Face | None = None
    """The HTTP pages /metrics, /livez, /readyz and /proxies; not set: there are none."""
    log: Log = Log()
    audit: Audit | None = None
    """The audit log; not set: there is none, and Envoy tells of no request."""
    tracing: Tracing | None = None
    """Traces of requests; not set: there are none."""
    sidecar: Sidecar | None = None
    """Set where this stands beside one API server or one client."""

    @model_validator(mode="after")
    def _has_a_door(self) -> Settings:
        if wrong := misplaced(self.sidecar, self.model_fields_set):
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _faces_fit(self) -> Settings:
        reached = {"xds": self.xds, "authorization": self.authorization, "discovery": self.discovery}
        for name, reachable in reached.items():
            if reachable.tls is not None and self.envoy is None:
                raise ValueError(
                    f"{name}.tls is set, and envoy is not; set envoy.certificateFile, envoy.privateKeyFile, "
                    "envoy.caFile and envoy.resourcesDir, with paths as the Envoy process sees them"
                )
            if reachable.tls is not None and self.xds.tls is None:
                # Envoy refuses a cluster whose files it has not got, and what one Envoy refuses no other is sent. One
                # that came in by xds.tls has them.
                raise ValueError(f"{name}.tls is set, and xds.tls is not; set xds.tls too, or remove {name}.tls")
        seen: dict[Address, tuple[str, Face]] = {}
        faces: dict[str, Face | None] = {**reached, "admin": self.admin, "config": self.config, "metrics": self.metrics}
        if self.config is not None and self.store is None:
            raise ValueError("config is set, and store is not; set store.sqlite.path to a file for what clients write")
        if self.config is not None and self.admin is not None and self.config.listen == self.admin.listen:
            raise ValueError(
                f"admin and config both listen on {self.config.listen}, where admin would answer whoever reaches it "
                "what config answers by RBAC; choose another address for one of them, or remove admin"
            )
        for number, worker in enumerate(self.authorization.worker_faces, 1):
            taken = next(
                (name for name, face in faces.items() if face is not None and face.listen == worker.listen), ""
            )
            if taken:
                raise ValueError(
                    f"{taken} listens on {worker.listen}, and so would authorization's worker {number} of "
                    f"{self.authorization.workers}; choose another address for {taken}, or for authorization"
                )
        for name, face in faces.items():
            if face is not None and seen.setdefault(face.listen, (name, face))[1].tls != face.tls:
                raise ValueError(
                    f"{seen[face.listen][0]} and {name} both listen on {face.listen} with different tls; "
                    "make tls the same, or choose another address for one of them"
                )
        return self

    def relative_to(self, folder: Path) -> Settings:
        """The same settings with every relative path taken from `folder`."""
        return anchored(self, folder)
