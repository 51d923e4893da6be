"""What Envoy shall hold, one immutable value a generation, every resource framed once for all streams.

In: resources changed and names removed. Out: the next `Snapshot`, which shares every unchanged `Resource` object with
the one before. Law: equal bytes (or equal versions, where versions are given) are the identical object and not
touched; so "what changed" costs what changed.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from controlplane.model.resource import EnvoyResource, ResourceName
from controlplane.snapshot.framing import length_delimited
from controlplane.snapshot.links import links

Changes = Mapping[str, frozenset[str]]
"""Type URL to the names that differ."""

# 128 bits: no two contents of one name will ever meet, and a client's initial_resource_versions stay short.
_VERSION_DIGITS: Final = 32
_FINGERPRINT_BITS: Final = 128
_EMPTY: Final[Mapping[str, Resource]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource in wire form; `version` stands for its content, and is its `digest` unless the caller chose another.

    `delta_frame` is the `resources` field of a DeltaDiscoveryResponse, tag and length included. The body is kept
    nowhere else: it is the frame's tail. References and children are those of `EnvoyResource`, and follow from the
    body.
    """

    type_url: str
    name: str
    version: str
    digest: str
    delta_frame: bytes = field(repr=False)
    references: frozenset[ResourceName] = frozenset()
    children: frozenset[ResourceName] = frozenset()
    read: bool = False
    """Whether these two were read from the body, and may be of what is not in any snapshot."""
    _any_at: int = field(repr=False, default=0)
    _body_at: int = field(repr=False, default=0)

    @classmethod
    def of(
        cls,
        type_url: str,
        name: str,
        body: bytes,
        *,
        version: str = "",
        references: frozenset[ResourceName] | None = None,
        children: frozenset[ResourceName] | None = None,
    ) -> Resource:
        """Frames a serialised message; without a `version` the hash of the body is the version.

        Where neither references nor children are given, both are read from the body, see `links`.
        """
        read = references is None and children is None
        if read:
            references, children = links(type_url, body)
        digest = hashlib.sha256(body).hexdigest()[:_VERSION_DIGITS]
        version = version or digest
        # `resource` is field 2 of Resource just as `resources` is field 2 of DiscoveryResponse: written last, it is the
        # state-of-the-world frame as it stands.
        any_field = length_delimited(2, length_delimited(1, type_url.encode()) + length_delimited(2, body))
        header = length_delimited(3, name.encode()) + length_delimited(1, version.encode())
        frame = length_delimited(2, header + any_field)
        any_at, body_at = len(frame) - len(any_field), len(frame) - len(body)
        leans, leant = references or frozenset(), children or frozenset()
        return cls(type_url, name, version, digest, frame, leans, leant, read, any_at, body_at)

    @property
    def key(self) -> ResourceName:
        """Type URL and name."""
        return ResourceName(self.type_url, self.name)

    @property
    def body(self) -> bytes:
        """The serialised message without its Any."""
        return self.delta_frame[self._body_at :]

    @property
    def sotw_frame(self) -> memoryview:
        """The `resources` field of a DiscoveryResponse, tag and length included; shares the delta frame's memory."""
        return memoryview(self.delta_frame)[self._any_at :]

    @property
    def fingerprint(self) -> int:
        """A number for name and version; the sum over a type's resources stands for the whole type."""
        digest = hashlib.sha256(b"%d:%b%b" % (len(self.name), self.name.encode(), self.version.encode())).digest()
        return int.from_bytes(digest[: _FINGERPRINT_BITS // 8])


@dataclass(frozen=True, slots=True, order=True)
class Dangling:
    """A reference to a resource that the snapshot does not hold."""

    source: ResourceName
    target: ResourceName


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """Everything one group of Envoys shall hold; `touched` names what differs from the generation before."""

    generation: int = 0
    tables: Mapping[str, Mapping[str, Resource]] = field(default_factory=dict, repr=False)
    touched: Changes = field(default_factory=dict)
    _fingerprints: Mapping[str, int] = field(default_factory=dict, repr=False)
    _previous: weakref.ref[Snapshot] | None = field(default=None, repr=False)
    _versions: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """What `versions` answered: a thousand streams that come back ask the same question."""

    @classmethod
    def of(cls, resources: Iterable[tuple[str, str, str, bytes]]) -> Snapshot:
        """The first snapshot of (type URL, name, version, serialised message); version "" stands for the body's hash.

        Raises:
            ValueError: when one name of a type is given twice, which Envoy would reject.
        """
        tables: dict[str, dict[str, Resource]] = {}
        for type_url, name, version, body in resources:
            table = tables.setdefault(type_url, {})
            if name in table:
                raise ValueError(f"{type_url} {name!r} is given twice; give every resource once")
            table[name] = Resource.of(type_url, name, body, version=version)
        return cls(
            generation=1,
            tables=tables,
            touched={type_url: frozenset(table) for type_url, table in tables.items()},
            _fingerprints={type_url: _total(table.values()) for type_url, table in tables.items()},
        )

    def updated(self, upserts: Iterable[EnvoyResource | Resource], removals: Iterable[ResourceName] = ()) -> Snapshot:
        """The next generation, or this very object when nothing differs; a name in both arguments is upserted.

        An `EnvoyResource` differs by its body, whose hash becomes its version; a `Resource` by the version it brings.
        """
        wanted: dict[ResourceName, EnvoyResource | Resource | None] = dict.fromkeys(removals)
        wanted.update((resource.key, resource) for resource in upserts)
        differing: dict[str, dict[str, Resource | None]] = {}
        for key, given in wanted.items():
            if not _same(self.get(key), given):
                differing.setdefault(key.type_url, {})[key.name] = _framed(given)
        if not differing:
            return self
        tables, fingerprints = dict(self.tables), dict(self._fingerprints)
        for type_url, entries in differing.items():
            tables[type_url], fingerprints[type_url] = self._merged(type_url, entries)
        return Snapshot(
            generation=self.generation + 1,
            tables=tables,
            touched={type_url: frozenset(entries) for type_url, entries in differing.items()},
            _fingerprints=fingerprints,
            _previous=weakref.ref(self),
        )

    def renumbered(self, generation: int) -> Snapshot:
        """The same content under another generation."""
        return Snapshot(generation, self.tables, self.touched, self._fingerprints)

    def table(self, type_url: str) -> Mapping[str, Resource]:
        """All resources of a type by name."""
        return self.tables.get(type_url, _EMPTY)

    def get(self, key: ResourceName) -> Resource | None:
        """The resource of that type and name, or None when it shall not exist."""
        return self.table(key.type_url).get(key.name)

    def versions(self, type_url: str) -> Mapping[str, str]:
        """The versions of a type by name, as a client that holds everything claims them."""
        known = self._versions.get(type_url)
        if known is None:
            known = {name: resource.version for name, resource in self.table(type_url).items()}
            self._versions[type_url] = known
        return known

    def fingerprint(self, type_url: str) -> int:
        """The sum of the fingerprints of a type's resources, modulo 2**128."""
        return self._fingerprints.get(type_url, 0)

    def changes_from(self, previous: Snapshot) -> Changes:
        """The names that differ between `previous` and this; free when `previous` is what this was updated from."""
        if self._previous is not None and self._previous() is previous:
            return self.touched
        changes = {}
        for type_url in self.tables.keys() | previous.tables.keys():
            new, old = self.table(type_url), previous.table(type_url)
            if new is not old and (names := differing_names(old, new)):
                changes[type_url] = names
        return changes

    def check(self) -> list[Dangling]:
        """Every reference and child that is not in this snapshot, sorted; empty when it is consistent."""
        return sorted(
            Dangling(resource.key, target)
            for table in self.tables.values()
            for resource in table.values()
            for target in resource.references | resource.children
            if self.get(target) is None
        )

    def _merged(self, type_url: str, entries: Mapping[str, Resource | None]) -> tuple[dict[str, Resource], int]:
        table = dict(self.table(type_url))
        fingerprint = self.fingerprint(type_url)
        for name, resource in entries.items():
            if (old := table.get(name)) is not None:
                fingerprint -= old.fingerprint
            if resource is None:
                del table[name]
            else:
                table[name] = resource
                fingerprint += resource.fingerprint
        return table, fingerprint % (1 << _FINGERPRINT_BITS)


def differing_names(old: Mapping[str, Resource], new: Mapping[str, Resource]) -> frozenset[str]:
    """The names whose version is not the same in both tables."""
    gone = {name for name in old if name not in new}
    gone.update(
        name
        for name, resource in new.items()
        if (held := old.get(name)) is not resource and (held is None or held.version != resource.version)
    )
    return frozenset(gone)


def _same(held: Resource | None, given: EnvoyResource | Resource | None) -> bool:
    if held is None or given is None:
        return held is given
    return held.version == given.version if isinstance(given, Resource) else held.body == given.body


def _framed(given: EnvoyResource | Resource | None) -> Resource | None:
    if not isinstance(given, EnvoyResource):
        return given
    key = given.key
    return Resource.of(key.type_url, key.name, given.body, references=given.references, children=given.children)


def _total(resources: Iterable[Resource]) -> int:
    return sum(resource.fingerprint for resource in resources) % (1 << _FINGERPRINT_BITS)
