"""What servers said they serve, as it is kept and published.

In: answers that were read (`decode.py`). Out: `Documents`, from which every discovery answer is joined. Law: whole and
immutable; what a new answer did not change is the identical object from before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import BackendKey


@dataclass(frozen=True, slots=True)
class VersionDiscovery:
    """One group-version as aggregated discovery lists it; `body` is the JSON of its APIVersionDiscovery."""

    version: str
    body: bytes
    stale: bool = False


@dataclass(frozen=True, slots=True)
class GroupDiscovery:
    """One group and its versions, in the order the server gave."""

    name: str
    versions: tuple[VersionDiscovery, ...]


@dataclass(frozen=True, slots=True)
class BackendDocument:
    """What one backend answered for the group-versions registered with it.

    `versions` holds every group-version that was asked for, stale ones included; one that is absent was never asked
    for. `etag` is what the backend sent with an aggregated answer ("" when there is none to ask by). `openapi` holds
    the server-relative URLs of the OpenAPI v3 documents. `failure` says why something is stale, "" when nothing is.
    """

    versions: Mapping[GroupVersion, VersionDiscovery] = field(default_factory=lambda: MappingProxyType({}))
    etag: str = ""
    openapi: Mapping[GroupVersion, str] = field(default_factory=lambda: MappingProxyType({}))
    failure: str = ""


@dataclass(frozen=True, slots=True)
class GroupList:
    """All groups under one path of the core API server; `etag` as in BackendDocument."""

    groups: tuple[GroupDiscovery, ...] = ()
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CoreDocument:
    """What the core API server answered.

    `reached` is False until both lists were had once: before that nobody knows what there is, and saying "nothing"
    would have clients (the garbage collector, kubectl) act on it. `version` is the body of /version, empty when it has
    none.
    """

    reached: bool = False
    api: GroupList = GroupList()
    apis: GroupList = GroupList()
    version: bytes = b""
    openapi: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Documents:
    """All that was fetched. `core` is None until it was tried; a backend that is absent was never tried."""

    backends: Mapping[BackendKey, BackendDocument] = field(default_factory=lambda: MappingProxyType({}))
    core: CoreDocument | None = None
