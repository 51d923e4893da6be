"""The tables of everything registered, and the topology they come to.

In: batches of Change. Out: after each batch the next `Topology`, or the same one when nothing it shows has changed.
Law: the work of a batch follows the number of objects it touches, never the number registered (beyond one copy of a
map); what did not change is the identical object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from controlplane.model.apiservice import ApiService, GroupVersion
from controlplane.model.auth_files import NO_FILES, AuthFiles
from controlplane.model.change import (
    AuthFilesChanged,
    Change,
    CredentialsChanged,
    Delete,
    ObjectKey,
    Reached,
    Synced,
    Upsert,
)
from controlplane.model.credentials import Credentials
from controlplane.model.policy import Policy
from controlplane.model.rbac import BindingKey, Role, RoleBinding, RoleKey
from controlplane.model.revocations import Revocations
from controlplane.model.service import EndpointSlice, Service, ServiceName
from controlplane.model.topology import Api, Backend, BackendKey, Topology, Touched
from controlplane.registry.resolve import resolve, trust_of
from controlplane.registry.revoke import revocations

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Dirty:
    """What a batch touched."""

    apis: set[GroupVersion] = field(default_factory=set)
    roles: set[RoleKey] = field(default_factory=set)
    bindings: set[BindingKey] = field(default_factory=set)
    credentials: bool = False


class Registry:
    """The one mutable table set; `apply` is its only door."""

    def __init__(self, *, dns_template: str, core: Backend | None) -> None:
        self._dns_template = dns_template
        self._topology = Topology(core=core)
        self._objects: dict[ObjectKey, ApiService | Service | EndpointSlice | Role | RoleBinding] = {}
        self._apis: dict[GroupVersion, ApiService] = {}
        self._services: dict[ServiceName, Service] = {}
        self._slices: defaultdict[ServiceName, dict[str, EndpointSlice]] = defaultdict(dict)
        self._roles: dict[RoleKey, Role] = {}
        self._bindings: dict[BindingKey, RoleBinding] = {}
        self._served_by: defaultdict[ServiceName, set[GroupVersion]] = defaultdict(set)
        self._users: defaultdict[BackendKey, set[GroupVersion]] = defaultdict(set)
        self._credentials: Credentials | None = None
        self._files: AuthFiles = NO_FILES

    @property
    def topology(self) -> Topology:
        """The latest topology."""
        return self._topology

    def apply(self, changes: Iterable[Change]) -> Topology:
        """Takes a batch in and returns the topology that follows from it."""
        dirty = _Dirty()
        for change in changes:
            match change:
                case Upsert(key, thing):
                    self._forget(key, dirty)
                    self._objects[key] = thing
                    self._learn(thing, dirty)
                case Delete(key):
                    self._forget(key, dirty)
                case CredentialsChanged(credentials):
                    dirty.credentials |= credentials != self._credentials
                    self._credentials = credentials
                case AuthFilesChanged(files):
                    self._files = files
                case Synced() | Reached():
                    pass
        self._topology = self._next(dirty)
        return self._topology

    def _learn(self, thing: ApiService | Service | EndpointSlice | Role | RoleBinding, dirty: _Dirty) -> None:
        match thing:
            case ApiService():
                self._apis[thing.group_version] = thing
                name = _service_name(thing)
                if name is not None:
                    self._served_by[name].add(thing.group_version)
                dirty.apis.add(thing.group_version)
            case Service():
                self._services[thing.name] = thing
                dirty.apis |= self._served_by.get(thing.name, set())
            case EndpointSlice():
                self._slices[thing.service][thing.name] = thing
                dirty.apis |= self._served_by.get(thing.service, set())
            case Role():
                self._roles[thing.key] = thing
                dirty.roles.add(thing.key)
            case RoleBinding():
                self._bindings[thing.key] = thing
                dirty.bindings.add(thing.key)

    def _forget(self, key: ObjectKey, dirty: _Dirty) -> None:
        match self._objects.pop(key, None):
            case ApiService() as api:
                del self._apis[api.group_version]
                name = _service_name(api)
                if name is not None:
                    _discard(self._served_by, name, api.group_version)
                dirty.apis.add(api.group_version)
            case Service() as service:
                del self._services[service.name]
                dirty.apis |= self._served_by.get(service.name, set())
            case EndpointSlice() as item:
                del self._slices[item.service][item.name]
                if not self._slices[item.service]:
                    del self._slices[item.service]
                dirty.apis |= self._served_by.get(item.service, set())
            case Role() as role:
                del self._roles[role.key]
                dirty.roles.add(role.key)
            case RoleBinding() as binding:
                del self._bindings[binding.key]
                dirty.bindings.add(binding.key)
            case None:
                pass

    def _next(self, dirty: _Dirty) -> Topology:
        before = self._topology
        apis, backends = dict[GroupVersion, Api | None](), dict[BackendKey, Backend | None]()
        for group_version in sorted(dirty.apis):
            self._resolve_one(group_version, apis, backends)
        policy = self._next_policy(dirty)
        core = self._next_core()
        touched = Touched(
            apis=frozenset(key for key, api in apis.items() if api is not before.apis.get(key)),
            backends=frozenset(key for key, backend in backends.items() if backend is not before.backends.get(key)),
            credentials=dirty.credentials,
            policy=policy is not before.policy,
            core=core is not before.core,
        )
        if touched == Touched():
            return before
        return Topology(
            generation=before.generation + 1,
            apis=_merged(before.apis, apis) if touched.apis else before.apis,
            backends=_merged(before.backends, backends) if touched.backends else before.backends,
            core=core,
            credentials=self._credentials,
            policy=policy,
            touched=touched,
        )

    def _next_core(self) -> Backend | None:
        """The core API server, trusted by the authority in force; one that is trusted otherwise stays as it is."""
        core, roots = self._topology.core, self._credentials.core_ca if self._credentials is not None else b""
        if core is None or not roots or roots == core.ca_bundle:
            return core
        key = replace(core.key, trust=trust_of(roots, insecure=False))
        return replace(core, key=key, ca_bundle=roots)

    def _resolve_one(
        self,
        group_version: GroupVersion,
        apis: dict[GroupVersion, Api | None],
        backends: dict[BackendKey, Backend | None],
    ) -> None:
        """Resolves one group-version; None means gone, and an equal value stays the identical object."""
        old = self._topology.apis.get(group_version)
        registered = self._apis.get(group_version)
        new: Api | None = None
        if registered is not None:
            name = _service_name(registered)
            service = self._services.get(name) if name else None
            slices = self._slices.get(name, {}) if name else {}
            resolved = resolve(registered, service, slices.values(), self._dns_template)
            key = resolved.backend.key if resolved.backend else None
            new = Api(registered, resolved.condition, key)
            if resolved.backend is not None and key is not None:
                self._users[key].add(group_version)
                known = self._topology.backends.get(key)
                backends[key] = known if known == resolved.backend else resolved.backend
        if old is not None and old.backend is not None and (new is None or new.backend != old.backend):
            _discard(self._users, old.backend, group_version)
            if old.backend not in self._users:
                backends[old.backend] = None
        apis[group_version] = old if new == old else new

    def _next_policy(self, dirty: _Dirty) -> Policy:
        before = self._topology.policy
        roles = frozenset(key for key in dirty.roles if self._roles.get(key) != before.roles.get(key))
        bindings = frozenset(key for key in dirty.bindings if self._bindings.get(key) != before.bindings.get(key))
        authorities = self._credentials.client_authorities if self._credentials is not None else before.authorities
        files = before.files if self._files == before.files else self._files
        # Clients may no longer be believed by what they were believed by, or be authorized by others.
        distrusted = before.generation > 0 and (authorities != before.authorities or files is not before.files)
        if not roles and not bindings and not distrusted and files is before.files:
            return before
        after = Policy(
            generation=before.generation + 1,
            roles=MappingProxyType(dict(self._roles)) if roles else before.roles,
            bindings=MappingProxyType(dict(self._bindings)) if bindings else before.bindings,
            authorities=before.authorities if authorities == before.authorities else authorities,
            files=files,
        )
        if distrusted:
            return replace(after, revocations=Revocations(after.generation))
        return replace(after, revocations=revocations(before, after, roles, bindings))


def _service_name(api: ApiService) -> ServiceName | None:
    return ServiceName(api.service.namespace, api.service.name) if api.service else None


def _discard(index: defaultdict[K, set[V]], key: K, value: V) -> None:
    members = index[key]
    members.discard(value)
    if not members:
        del index[key]


def _merged(before: MappingProxyType[K, V], changes: dict[K, V | None]) -> MappingProxyType[K, V]:
    # A copy of the dict behind it keeps the hashes; dict(before) would compute all of them again.
    after = before.copy()
    for key, value in changes.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    return MappingProxyType(after)
