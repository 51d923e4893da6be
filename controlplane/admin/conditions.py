"""The conditions of APIServices at one moment.

In: a topology, and what proxies take. Out: Available and Programmed of each APIService. Law: the work follows the
APIServices that are asked about; what proxies take is not looked at before somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, Generic, TypeVar

from controlplane.admin import faults
from controlplane.admin.faults import Fault
from controlplane.model.apiservice import Condition, ConditionStatus, GroupVersion
from controlplane.model.change import ObjectKey
from controlplane.model.proxy import Proxy
from controlplane.model.resource import ResourceName
from controlplane.model.topology import Api, Topology
from controlplane.translation import routes, serving

T = TypeVar("T")

_KIND: Final = "APIService"
_PROGRAMMED: Final = Condition(ConditionStatus.TRUE, "Programmed", "no proxy rejects any of it")
_NO_PROXIES: Final = Condition(ConditionStatus.UNKNOWN, "NoProxies", "no proxy is connected")
# Looking at a thousand proxies takes a tenth of a second, in which nobody is answered.
_SHARE: Final = 10


class Taken:
    """What proxies do not take, and what there is to say of all else."""

    def __init__(self, found: Sequence[Fault], *, connected: bool) -> None:
        self.faults = tuple(found)
        self.healthy = _PROGRAMMED if connected else _NO_PROXIES
        by_key: dict[ResourceName, list[Fault]] = {}
        for fault in found:
            by_key.setdefault(fault.key, []).append(fault)
        self.by_key: Mapping[ResourceName, Sequence[Fault]] = by_key

    @classmethod
    def by(cls, proxies: Collection[Proxy]) -> Taken:
        """By what these proxies say."""
        return cls(faults.faults(proxies), connected=bool(proxies))


class Sparing(Generic[T]):
    """What `look` gives, at most a tenth of the time being spent on it: it is kept ten times as long as it took.

    `clock` is monotonic.
    """

    def __init__(self, look: Callable[[], T], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock
        self._kept: tuple[T, float] | None = None

    def __call__(self) -> T:
        """The value."""
        begun = self._clock()
        if self._kept is None or begun >= self._kept[1]:
            value = self._look()
            ended = self._clock()
            self._kept = value, ended + _SHARE * (ended - begun)
        return self._kept[0]


class Standing:
    """How APIServices stand under a topology; `taken` is asked once, when it first matters."""

    def __init__(self, topology: Topology, taken: Callable[[], Taken]) -> None:
        self._topology = topology
        self._take = taken

    def __call__(self, key: ObjectKey) -> tuple[tuple[str, Condition], ...]:
        """The conditions of an object by their types; none for other kinds, and for what the topology has not."""
        if key.kind != _KIND:
            return ()
        version, _, group = key.name.partition(".")
        api = self._topology.apis.get(GroupVersion(group, version))
        if api is None:
            return ()
        available, programmed = self.conditions(api)
        return ("Available", available), ("Programmed", programmed)

    def looked(self) -> Standing:
        """The same, by what proxies take now and not when it first matters."""
        taken = self.taken
        return Standing(self._topology, lambda: taken)

    def differing(self, before: Standing) -> Iterator[ObjectKey]:
        """The APIServices that stood otherwise before, or did not stand at all."""
        apis, earlier = self._topology.apis, before._topology.apis
        taken, taken_before = self.taken, before.taken
        alike = taken.healthy is taken_before.healthy and taken.faults == taken_before.faults
        if alike and apis is earlier:
            return
        for group_version, api in apis.items():
            old = earlier.get(group_version)
            if alike and api is old:
                continue
            if old is None or self.conditions(api) != before.conditions(old):
                yield ObjectKey(_KIND, "", api.service.name)

    def conditions(self, api: Api) -> tuple[Condition, Condition]:
        """Available and Programmed."""
        found = self.harming(api)
        if not found:
            return api.condition, self.taken.healthy
        scope = routes.api_name(api.service.group_version)
        message = "; ".join(fault.sentence(scope) for fault in found)
        programmed = Condition(ConditionStatus.FALSE, "Rejected", message)
        # What is unavailable anyway keeps its own reason: that is what to mend first.
        if api.condition.available and any(fault.lacking and not fault.serving(scope) for fault in found):
            return Condition(ConditionStatus.FALSE, "NotProgrammed", message), programmed
        return api.condition, programmed

    def harming(self, api: Api) -> Sequence[Fault]:
        """The faults of resources that serve an APIService."""
        by_key = self.taken.by_key
        if not by_key:
            return ()
        return [fault for key in serving.resources(api) for fault in by_key.get(key, ())]

    @cached_property
    def taken(self) -> Taken:
        """What proxies do not take."""
        return self._take()
