"""Which group-versions each backend is asked for.

In: topologies, one after the other. Out: the backends whose question changed. Law: the cost follows what changed,
unless a generation was missed; then everything is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controlplane.model.apiservice import GroupVersion
from controlplane.model.topology import Api, BackendKey, Topology


class Assignments:
    """The latest topology, seen from its backends."""

    def __init__(self) -> None:
        self.topology = Topology()
        self._owners: dict[GroupVersion, BackendKey] = {}
        self._wanted: dict[BackendKey, set[GroupVersion]] = {}

    def wanted(self, key: BackendKey) -> frozenset[GroupVersion]:
        """The group-versions registered with a backend; none when it has no more."""
        return frozenset(self._wanted.get(key, ()))

    def advance(self, topology: Topology) -> frozenset[BackendKey]:
        """Takes `topology` over; returns the backends to ask anew and those that nothing is registered with any more.

        An APIService that changed in any way has its backend asked anew: that it has just become available is the
        moment to look.
        """
        before, self.topology = self.topology, topology
        touched = topology.touched
        if touched.all or topology.generation != before.generation + 1:
            apis: Iterable[GroupVersion] = before.apis.keys() | topology.apis.keys()
            backends: Iterable[BackendKey] = before.backends.keys() | topology.backends.keys()
        else:
            apis, backends = touched.apis, touched.backends
        changed = self._reassign(apis, before.apis, topology.apis)
        changed.update(key for key in backends if before.backends.get(key) is not topology.backends.get(key))
        if _shown(before) != _shown(topology):
            changed.update(self._wanted)
        return frozenset(changed)

    def _reassign(
        self, keys: Iterable[GroupVersion], before: Mapping[GroupVersion, Api], after: Mapping[GroupVersion, Api]
    ) -> set[BackendKey]:
        changed: set[BackendKey] = set()
        for key in keys:
            api = after.get(key)
            if api is before.get(key):
                continue
            if (previous := self._owners.pop(key, None)) is not None:
                changed.add(previous)
                self._wanted[previous].discard(key)
            if api is not None and api.backend is not None:
                changed.add(api.backend)
                self._owners[key] = api.backend
                self._wanted.setdefault(api.backend, set()).add(key)
        for owner in changed:
            if not self._wanted[owner]:
                del self._wanted[owner]
        return changed


def _shown(topology: Topology) -> tuple[object, object]:
    """What of the credentials a backend's answer may depend on."""
    credentials = topology.credentials
    return (credentials.front_proxy, credentials.system_roots) if credentials else (None, b"")
