"""What each node group is served: its part of everything.

In: the settings of the groups; each whole snapshot, and the topology it was made from. Out: a snapshot a group. Law: a
group holds the scopes of the APIServices it takes, what those lean on, and whatever no registration changes; every
resource is translated and framed once for all groups, and where there are no groups there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from controlplane.model.apiservice import GroupVersion
from controlplane.model.resource import CLUSTER, EXTENSION_CONFIG, LISTENER, ResourceName
from controlplane.model.topology import Topology
from controlplane.settings.groups import NodeGroup
from controlplane.settings.labels import LabelSelector
from controlplane.snapshot.part import Part
from controlplane.snapshot.snapshot import Snapshot
from controlplane.translation import names, routes
from controlplane.translation.translate import Translator

# What all requests go through, whatever is registered.
_FOR_ALL: Final = (LISTENER, EXTENSION_CONFIG)
# It has Envoy fetch the front-proxy key, and comes with the backends that lean on it.
_FRONT_PROXY: Final = ResourceName(CLUSTER, names.FRONT_PROXY_CLUSTER)


class GroupView:
    """The snapshots of one group; without a `part` they are the whole ones."""

    def __init__(self, name: str, apis: LabelSelector, part: Part | None) -> None:
        self.name = name
        self._apis = apis
        self._part = part

    def snapshot(
        self, whole: Snapshot, topology: Topology, apis: Iterable[GroupVersion], fixed: Iterable[ResourceName] = ()
    ) -> Snapshot:
        """The group's part of `whole`, when `apis` are the registrations that changed; `fixed` is held for ever."""
        if self._part is None:
            return whole
        taken, left = [name for name in fixed if name != _FRONT_PROXY], list[ResourceName]()
        for group_version in apis:
            api = topology.apis.get(group_version)
            fits = api is not None and self._apis.fits(dict(api.service.labels))
            (taken if fits else left).append(routes.api_name(group_version))
        return self._part.updated(whole, taken, left)


EVERYBODY = GroupView("", LabelSelector(), None)
"""The only group where there are no node groups: every node, and everything."""


def views(groups: Sequence[NodeGroup], translator: Translator) -> tuple[GroupView, ...]:
    """A view for each group."""
    return tuple(_view(group, translator) for group in groups) or (EVERYBODY,)


def _view(group: NodeGroup, translator: Translator) -> GroupView:
    door = translator.front_door(group.front_door.address, group.front_door.port)
    whole = group.api_services.everything and door is None
    return GroupView(group.name, group.api_services, None if whole else Part(_FOR_ALL, () if door is None else (door,)))
