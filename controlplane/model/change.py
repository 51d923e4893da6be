"""What a source says happened: the only thing that enters the pipeline.

Law: a source says everything it holds before it says `Synced`; nothing is served until every source has said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from controlplane.model.apiservice import ApiService
from controlplane.model.auth_files import AuthFiles
from controlplane.model.credentials import Credentials
from controlplane.model.rbac import Role, RoleBinding
from controlplane.model.service import EndpointSlice, Service

Object: TypeAlias = ApiService | Service | EndpointSlice | Role | RoleBinding


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """What makes an object one and the same: its kind (ClusterRole is not Role), namespace ("" if none) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Upsert:
    """The object under this key is now this one."""

    key: ObjectKey
    object: Object


@dataclass(frozen=True, slots=True)
class Delete:
    """There is no object under this key any more."""

    key: ObjectKey


@dataclass(frozen=True, slots=True)
class CredentialsChanged:
    """The front door's certificates are now these."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class AuthFilesChanged:
    """The files that say who is believed and who authorizes are now these."""

    files: AuthFiles


@dataclass(frozen=True, slots=True)
class Synced:
    """The named source has said everything it held when it started."""

    source: str


@dataclass(frozen=True, slots=True)
class Reached:
    """The source has said everything up to this revision of what it reads; for whoever waits for a write of theirs."""

    revision: int


Change: TypeAlias = Upsert | Delete | CredentialsChanged | AuthFilesChanged | Synced | Reached
