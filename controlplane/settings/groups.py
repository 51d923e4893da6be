"""Node groups: which Envoys there are, and what each of them serves.

In: the list `nodeGroups`. Out: frozen values, and the group of a node. Law: a node is in the first group that takes
it, or in none; a list that exists has no group that no node could ever be in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import field_validator

from controlplane.settings.address import IpAddress, Port
from controlplane.settings.labels import LabelSelector
from controlplane.settings.section import Section

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class NodeSelector(Section):
    """Which nodes a group takes, by what they say of themselves: everything it lists must be equal."""

    cluster: str | None = None
    """The node's cluster, to the letter; not set: any."""
    metadata: Mapping[str, str] = {}
    """Text by key; a key with dots is one key, or leads through nested ones."""

    @field_validator("cluster")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if value == "":
            raise ValueError("'' is no cluster; write the node.cluster of the Envoys' bootstrap, or remove the setting")
        return value

    @field_validator("metadata")
    @classmethod
    def _are_keys(cls, metadata: Mapping[str, str]) -> Mapping[str, str]:
        if "" in metadata:
            raise ValueError("'' is no key of node metadata; write one, with dots if it is nested")
        return metadata

    @property
    def requirements(self) -> frozenset[tuple[str, str]]:
        """What must be equal to what, in words; of two selectors the one with fewer of the same takes more nodes."""
        cluster = {("cluster", self.cluster)} if self.cluster is not None else set()
        return frozenset(cluster | {(f"metadata {key}", value) for key, value in self.metadata.items()})

    def fits(self, cluster: str, metadata: Mapping[str, str]) -> bool:
        """True when it takes a node of that cluster and metadata."""
        return self.cluster in {None, cluster} and all(
            metadata.get(key) == value for key, value in self.metadata.items()
        )

    def __str__(self) -> str:
        return " and ".join(f'{key} "{value}"' for key, value in sorted(self.requirements)) or "every node"


class FrontDoorOverride(Section):
    """What of the front door is different for a group; what is not set is as it is for all."""

    address: IpAddress | None = None
    """Where these Envoys listen."""
    port: Port | None = None
    """On which TCP port."""


class NodeGroup(Section):
    """The Envoys that get one and the same configuration, and the APIServices that they serve."""

    name: str
    """A DNS label, shown wherever proxies are."""
    nodes: NodeSelector = NodeSelector()
    api_services: LabelSelector = LabelSelector()
    front_door: FrontDoorOverride = FrontDoorOverride()

    @field_validator("name")
    @classmethod
    def _is_label(cls, value: str) -> str:
        if not _LABEL.fullmatch(value):
            raise ValueError(
                f"{value!r} is no DNS label; write at most 63 lower case letters, digits and '-', "
                "beginning and ending with a letter or digit"
            )
        return value


def checked(groups: tuple[NodeGroup, ...]) -> tuple[NodeGroup, ...]:
    """The same groups.

    Raises:
        ValueError: when two have one name, or no node can be in one because a group before it takes them all.
    """
    for number, group in enumerate(groups):
        for earlier, before in enumerate(groups[:number]):
            if before.name == group.name:
                raise ValueError(
                    f"{number}.name is {group.name!r}, as {earlier}.name is; give every group a name of its own"
                )
            if before.nodes.requirements <= group.nodes.requirements:
                raise ValueError(
                    f"{number}.nodes is {group.nodes}, all of which {earlier} ({before.name!r}) takes before: no node "
                    f"is ever in {group.name!r}; list it before {before.name!r}, or give it other nodes"
                )
    return groups


def group_of(groups: Sequence[NodeGroup], cluster: str, metadata: Mapping[str, str]) -> str | None:
    """The name of the first group that takes such a node, None when none does; "" where there are no groups."""
    if not groups:
        return ""
    return next((group.name for group in groups if group.nodes.fits(cluster, metadata)), None)


def metadata_keys(groups: Sequence[NodeGroup]) -> frozenset[str]:
    """The keys of node metadata that choose between these groups."""
    return frozenset(key for group in groups for key in group.nodes.metadata)


def described(groups: Sequence[NodeGroup]) -> str:
    """What these groups look for, in one line."""
    return "; ".join(f"{group.name}: {group.nodes}" for group in groups)
