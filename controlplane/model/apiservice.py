"""APIService registrations, as `apiregistration.k8s.io/v1` defines them, and the conditions they are given.

Law: an `ApiService` that exists has passed every validation rule of the API; what reads it need not check again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, order=True)
class GroupVersion:
    """An API group and version; the legacy core group is "" and its only version is "v1"."""

    group: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """The URL path it is served under: /apis/<group>/<version>, or /api/<version> for the core group."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


@dataclass(frozen=True, slots=True, order=True)
class ServiceReference:
    """The Service an APIService is served by; `port` is 1..65535 (443 when the manifest gives none)."""

    namespace: str
    name: str
    port: int = 443


@dataclass(frozen=True, slots=True)
class ApiService:
    """One registration. `service` is None for an API that the core upstream serves itself ("Local")."""

    group_version: GroupVersion
    group_priority_minimum: int
    version_priority: int
    service: ServiceReference | None = None
    ca_bundle: bytes = b""
    """PEM certificates that the backend's certificate is verified against; empty means the system's roots."""
    insecure_skip_tls_verify: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    """metadata.labels, by key; node groups select by them."""

    @property
    def name(self) -> str:
        """The object's name: <version>.<group>."""
        return f"{self.group_version.version}.{self.group_version.group}"


class ConditionStatus(Enum):
    """The three values of a condition's status; the zero value is UNKNOWN, which counts as unavailable."""

    UNKNOWN = "Unknown"
    FALSE = "False"
    TRUE = "True"


@dataclass(frozen=True, slots=True)
class Condition:
    """The Available condition of an APIService, with kube-aggregator's reasons and messages."""

    status: ConditionStatus = ConditionStatus.UNKNOWN
    reason: str = ""
    message: str = ""

    @property
    def available(self) -> bool:
        """True only for status True: missing and Unknown count as unavailable."""
        return self.status is ConditionStatus.TRUE
