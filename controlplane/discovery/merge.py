"""Many servers' groups as one list.

In: the registered APIs and what was fetched. Out: the groups in the order of /apis (legacy) and in that of aggregated
discovery, and the legacy core group's versions. Law: a registered remote group-version shadows the core's completely;
everything registered is listed, whether it can be reached or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.discovery.decode import stale
from controlplane.discovery.documents import CoreDocument, Documents, GroupDiscovery, VersionDiscovery
from controlplane.discovery.priority import (
    UNKNOWN_VERSION_PRIORITY,
    GroupRank,
    VersionRank,
    by_version,
    core_group_priority,
    interleaved,
    standing,
)
from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Api


@dataclass(frozen=True, slots=True)
class Merged:
    """All groups but the legacy core group, in two orders, and the legacy core group's versions.

    The orders differ where priorities are equal: /apis goes by the APIServices' names, aggregated discovery by the
    groups'. `legacy` holds the versions' names only, and those of Local APIServices that the core does not mention.
    """

    legacy: tuple[tuple[str, tuple[str, ...]], ...]
    aggregated: tuple[GroupDiscovery, ...]
    api: tuple[VersionDiscovery, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One version of one group; `discovery` is None for one that only /apis lists."""

    version: str
    discovery: VersionDiscovery | None


@dataclass(frozen=True, slots=True)
class _Group:
    """One group: its registrations, its versions in order, and whether any of these is the core's, unregistered."""

    name: str
    apis: tuple[Api, ...]
    versions: tuple[_Entry, ...]
    of_core: bool


def merge(apis: Mapping[GroupVersion, Api], documents: Documents, core: CoreDocument) -> Merged:
    """Joins what is registered with what was fetched; `core` is an empty CoreDocument where there is no core server."""
    registered: dict[str, list[Api]] = {}
    for group_version, api in apis.items():
        registered.setdefault(group_version.group, []).append(api)
    listed = {group.name: group.versions for group in (*core.api.groups, *core.apis.groups) if group.versions}
    groups = {
        name: _joined(name, registered.get(name, ()), listed.get(name, ()), documents)
        for name in dict.fromkeys((*listed, *registered))
    }
    legacy_group = groups.pop("", None)
    order = [name for name in listed if name]
    by_group = _ordered(groups, order, lambda group: (_priority(group), group.name))
    by_api = _ordered(groups, order, _first_api)
    return Merged(
        legacy=tuple((group.name, tuple(entry.version for entry in group.versions)) for group in by_api),
        aggregated=tuple(GroupDiscovery(group.name, found) for group in by_group if (found := _discoveries(group))),
        api=_discoveries(legacy_group) if legacy_group else (),
    )


def untried(apis: Mapping[GroupVersion, Api], documents: Documents) -> bool:
    """True while some registered group-version's backend has not been asked for it even once."""
    backends = documents.backends
    return any(
        api.backend is not None
        and ((document := backends.get(api.backend)) is None or group_version not in document.versions)
        for group_version, api in apis.items()
    )


def _joined(name: str, apis: Iterable[Api], listed: Iterable[VersionDiscovery], documents: Documents) -> _Group:
    rest = {item.version: item for item in listed}
    placed: list[tuple[VersionRank, _Entry]] = []
    members = tuple(apis)
    for api in members:
        version = api.service.group_version.version
        local = rest.pop(version, None)
        discovery = local if api.service.service is None else _remote(api, documents)
        placed.append(((-api.service.version_priority, by_version(version)), _Entry(version, discovery)))
    of_core: list[tuple[VersionRank, _Entry]] = [
        ((-UNKNOWN_VERSION_PRIORITY, by_version(version)), _Entry(version, item)) for version, item in rest.items()
    ]
    return _Group(name, members, tuple(interleaved(placed, of_core)), of_core=bool(of_core))


def _remote(api: Api, documents: Documents) -> VersionDiscovery:
    group_version = api.service.group_version
    document = documents.backends.get(api.backend) if api.backend else None
    found = document.versions.get(group_version) if document else None
    return found or stale(group_version.version)


def _discoveries(group: _Group) -> tuple[VersionDiscovery, ...]:
    return tuple(entry.discovery for entry in group.versions if entry.discovery is not None)


def _ordered(groups: Mapping[str, _Group], order: Sequence[str], rank: Callable[[_Group], GroupRank]) -> list[_Group]:
    """All groups, the core's in the core's order; one that is also registered stands at the better of its places."""
    ranks = standing([(-core_group_priority(name), rank(groups[name])[1]) for name in order])
    implied = dict(zip(order, ranks, strict=True))
    placed: list[tuple[GroupRank, _Group]] = []
    for group in groups.values():
        if group.apis:
            own = rank(group)
            placed.append((min(own, implied[group.name]) if group.of_core else own, group))
    return interleaved(placed, [(implied[name], groups[name]) for name in order if not groups[name].apis])


def _priority(group: _Group) -> int:
    return min((-api.service.group_priority_minimum for api in group.apis), default=0)


def _first_api(group: _Group) -> GroupRank:
    """The rank of the group's first APIService; the core's own have the names that kube-apiserver gives them."""
    names = [(-api.service.group_priority_minimum, api.service.name) for api in group.apis]
    return min(names, default=(0, f"{group.versions[0].version}.{group.name}"))
