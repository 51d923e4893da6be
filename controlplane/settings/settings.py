"""All settings of one control plane.

In: values from a file or the command line. Out: a frozen `Settings`. Law: a `Settings` that exists is usable: whatever
can be judged without touching the network has been judged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from controlplane.settings.address import Address, IpAddress, Port
from controlplane.settings.face import AdminFace, Face, XdsFace
from controlplane.settings.groups import NodeGroup, checked
from controlplane.settings.section import Section, anchored
from controlplane.settings.tls import EnvoyTls
from controlplane.settings.verdicts import VerdictCache


class FrontDoor(Section):
    """The listener that clients connect to, and its certificate files (PEM)."""

    address: IpAddress = "127.0.0.1"
    port: Port = 8443
    certificate_file: Path
    private_key_file: Path
    client_ca_file: Path | None = Field(default=None, alias="clientCAFile")


class FrontProxy(Section):
    """The client certificate shown to backends (PEM files)."""

    certificate_file: Path
    private_key_file: Path


class Core(Section):
    """The core API server that everything unregistered goes to."""

    server: str
    ca_file: Path | None = Field(default=None, alias="caFile")
    insecure_skip_tls_verify: bool = Field(default=False, alias="insecureSkipTLSVerify")
    tls_server_name: str = ""

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


class Authentication(Section):
    """Who is believed besides holders of a client certificate."""

    anonymous: bool = True
    token_file: Path | None = None
    """kube-apiserver's --token-auth-file: CSV lines `token,user,uid,"group1,group2"`."""


class Dns(Section):
    """How a Service that no manifest describes is found."""

    template: str = "{name}.{namespace}.svc"

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
    format: Literal["json", "text"] = "text"


class Settings(Section):
    """All settings of `isthmus serve`."""

    front_door: FrontDoor
    front_proxy: FrontProxy | None = None
    system_roots_file: Path | None = None
    """PEM roots for backends without a caBundle; the operating system's own when not set."""
    node_groups: Annotated[tuple[NodeGroup, ...], AfterValidator(checked)] = ()
    """Which Envoys serve which APIServices; none: every Envoy serves all."""
    manifests: Path
    core: Core | None = None
    authentication: Authentication = Authentication()
    verdict_cache: VerdictCache = VerdictCache()
    dns: Dns = Dns()
    xds: XdsFace
    authorization: Face
    discovery: Face
    envoy: EnvoyTls | None = None
    """What Envoy shows to the three faces above; None when none of them has `tls`."""
    admin: AdminFace | None = None
    """gRPC: the StatusService, which `isthmus status` and `isthmus proxies` ask, and CSDS; not set: nobody can ask."""
    metrics: Face | None = None
    """The HTTP pages /metrics, /livez, /readyz and /proxies; not set: there are none."""
    log: Log = Log()

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
        faces: dict[str, Face | None] = {**reached, "admin": self.admin, "metrics": self.metrics}
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
