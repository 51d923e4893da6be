"""The settings of one control plane, checked once.

In: a YAML file (or values from the command line). Out: a frozen `Settings`. Law: a `Settings` that exists is usable:
whatever can be judged without touching the network has been judged, and every complaint names the setting, its value
and the remedy.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from controlplane.errors import SettingsError

# sockaddr_un.sun_path is 108 bytes with its closing NUL on Linux.
_UNIX_PATH_LIMIT = 107

Port = Annotated[int, Field(ge=1, le=65535)]


class _Section(BaseModel):
    """What every section shares: frozen, no unknown keys, camelCase in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


_SectionT = TypeVar("_SectionT", bound=_Section)


class Address(_Section):
    """Where something listens or is reached: a Unix socket (`path` set) or a TCP host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Reads "unix:/path" or "host:port" ("[::1]:443" for IPv6).

        Raises:
            ValueError: when it is neither, or the path is too long for a Unix socket.
        """
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path.startswith("/"):
                raise ValueError(f"{text!r} is not an absolute path; write unix:/absolute/path.sock")
            if len(path.encode()) > _UNIX_PATH_LIMIT:
                raise ValueError(
                    f"{text!r} is longer than a Unix socket's path can be (107 bytes); choose a shorter folder"
                )
            return cls(path=path)
        host, separator, port = text.rpartition(":")
        if not separator or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} is no address; write unix:/path.sock or HOST:PORT")
        return cls(host=host.removeprefix("[").removesuffix("]"), port=int(port))

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def numeric(self) -> bool:
        """True when no name must be resolved to reach it: a Unix socket or an IP address."""
        try:
            return bool(self.path) or ipaddress.ip_address(self.host) is not None
        except ValueError:
            return False

    @property
    def loopback(self) -> bool:
        """True for a Unix socket or a TCP address that only this machine reaches."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Face(_Section):
    """One listening face of the control plane, and the address at which Envoy reaches it when that differs."""

    listen: Address
    advertise: Address | None = None
    allow_plaintext: bool = False

    @field_validator("listen", "advertise", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return Address.parse(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _guarded(self) -> Face:
        if not self.listen.loopback and not self.allow_plaintext:
            raise ValueError(
                f"listen is {self.listen}, which other machines reach without encryption; "
                "use a Unix socket or a loopback address, or set allowPlaintext: true where the network is private"
            )
        return self

    @property
    def reached_at(self) -> Address:
        """The address Envoy connects to."""
        return self.advertise or self.listen


class FrontDoor(_Section):
    """The listener that clients connect to, and its certificate files (PEM)."""

    address: str = "127.0.0.1"
    port: Port = 8443
    certificate_file: Path
    private_key_file: Path
    client_ca_file: Path | None = Field(default=None, alias="clientCAFile")

    @field_validator("address")
    @classmethod
    def _is_ip(cls, value: str) -> str:
        ipaddress.ip_address(value)
        return value


class FrontProxy(_Section):
    """The client certificate shown to backends (PEM files)."""

    certificate_file: Path
    private_key_file: Path


class Core(_Section):
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


class Authentication(_Section):
    """Who is believed besides holders of a client certificate."""

    anonymous: bool = True
    token_file: Path | None = None
    """kube-apiserver's --token-auth-file: CSV lines `token,user,uid,"group1,group2"`."""


class Dns(_Section):
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


class Log(_Section):
    """How logs are written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "text"


class Settings(_Section):
    """All settings of `isthmus serve`."""

    front_door: FrontDoor
    front_proxy: FrontProxy | None = None
    system_roots_file: Path | None = None
    """PEM roots for backends without a caBundle; the operating system's own when not set."""
    manifests: Path
    core: Core | None = None
    authentication: Authentication = Authentication()
    dns: Dns = Dns()
    xds: Face
    authorization: Face
    discovery: Face
    admin: Face | None = None
    """gRPC: the StatusService, which `isthmus status` and `isthmus proxies` ask, and CSDS; not set: nobody can ask."""
    metrics: Face | None = None
    """The HTTP pages /metrics, /livez, /readyz and /proxies; not set: there are none."""
    log: Log = Log()

    def relative_to(self, folder: Path) -> Settings:
        """The same settings with every relative path taken from `folder`."""
        return _anchored(self, folder)


def load(path: Path) -> Settings:
    """The settings in a YAML file; relative paths in it are relative to the file's folder.

    Raises:
        SettingsError: when the file cannot be read or a setting is wrong, one line a setting.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give --config the path of a settings file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not YAML ({' '.join(str(error).split())}); mend the file") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: holds no settings; see docs/settings.md for an example")
    try:
        return Settings.model_validate(document).relative_to(path.parent.resolve())
    except ValidationError as error:
        lines = [_complaint(path, problem["loc"], problem["msg"], problem["input"]) for problem in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def _anchored(section: _SectionT, folder: Path) -> _SectionT:
    changes: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = folder / value
        elif isinstance(value, _Section):
            changes[name] = _anchored(value, folder)
    return section.model_copy(update=changes)


def _complaint(path: Path, location: tuple[int | str, ...], message: str, value: object) -> str:
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) else ""
    return f"{path}: {'.'.join(str(part) for part in location)}: {message.removeprefix('Value error, ')}{shown}"
