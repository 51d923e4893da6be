"""Node groups: who is in which, and what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.errors import SettingsError
from controlplane.settings.groups import NodeGroup, described, group_of, metadata_keys
from controlplane.settings.load import load
from controlplane.settings.settings import Settings

GOOD = """
frontDoor: {certificateFile: serving.crt, privateKeyFile: serving.key}
manifests: manifests
xds: {listen: "unix:/run/xds.sock"}
authorization: {listen: "unix:/run/authorization.sock"}
discovery: {listen: "unix:/run/discovery.sock"}
"""
THREE = """nodeGroups:
- {name: east, nodes: {cluster: edge, metadata: {place.zone: east}}, apiServices: {matchLabels: {public: "yes"}}}
- {name: edge, nodes: {cluster: edge}, frontDoor: {address: "::1", port: 9443}}
- {name: rest}
"""


def settings_of(groups: str, folder: Path) -> Settings:
    """The settings with these node groups."""
    path = folder / "isthmus.yaml"
    path.write_text(GOOD + groups)
    return load(path)


def test_without_node_groups_every_node_is_in_the_group_without_a_name(tmp_path: Path) -> None:
    """One group with everything is the default."""
    settings = settings_of("", tmp_path)

    assert () == settings.node_groups
    assert "" == group_of(settings.node_groups, "any", {})


@pytest.mark.parametrize(
    ("cluster", "metadata", "group"),
    [
        ("edge", {"place.zone": "east"}, "east"),
        ("edge", {"place.zone": "west"}, "edge"),
        ("edge", {}, "edge"),
        ("Edge", {"place.zone": "east"}, "rest"),
        ("", {}, "rest"),
    ],
)
def test_the_first_group_that_takes_a_node_has_it(
    cluster: str, metadata: dict[str, str], group: str, tmp_path: Path
) -> None:
    """All that a group lists must be equal, and one that lists nothing takes every node."""
    assert group == group_of(settings_of(THREE, tmp_path).node_groups, cluster, metadata)


def test_a_node_that_no_group_takes_is_in_none(tmp_path: Path) -> None:
    """Deny is the default once there are groups."""
    groups = settings_of(THREE, tmp_path).node_groups[:2]

    assert group_of(groups, "other", {"place.zone": "east"}) is None


def test_a_group_takes_every_apiservice_and_the_common_front_door_unless_it_says_more(tmp_path: Path) -> None:
    """Everything but the name may be left out."""
    east, edge, rest = settings_of(THREE, tmp_path).node_groups

    assert (False, True, True) == tuple(group.api_services.everything for group in (east, edge, rest))
    assert ("::1", 9443) == (edge.front_door.address, edge.front_door.port)
    assert (None, None) == (rest.front_door.address, rest.front_door.port)


def test_what_groups_look_for_is_known(tmp_path: Path) -> None:
    """No more of a node's metadata is read than that, and whoever is refused is told it."""
    groups = settings_of(THREE, tmp_path).node_groups

    assert frozenset({"place.zone"}) == metadata_keys(groups)
    assert 'east: cluster "edge" and metadata place.zone "east"; edge: cluster "edge"; rest: every node' == described(
        groups
    )


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ("[{name: East}]", "nodeGroups.0.name: 'East' is no DNS label; write at most 63 lower case letters"),
        (f"[{{name: {'x' * 64}}}]", "is no DNS label"),
        ("[{nodes: {cluster: a}}]", "nodeGroups.0.name: Field required"),
        ("[{name: a, nodes: {cluster: ''}}]", "nodeGroups.0.nodes.cluster: '' is no cluster; write the node.cluster"),
        ("[{name: a, nodes: {metadata: {'': b}}}]", "nodeGroups.0.nodes.metadata: '' is no key of node metadata"),
        ("[{name: a, nodes: {metadata: {b: 1}}}]", "nodeGroups.0.nodes.metadata.b: Input should be a valid string"),
        ("[{name: a, frontDoor: {port: 0}}]", "nodeGroups.0.frontDoor.port: Input should be greater than or equal"),
        ("[{name: a, frontDoor: {address: b}}]", "nodeGroups.0.frontDoor.address: 'b' does not appear to be an IP"),
        ("[{name: a, frontDoor: {certificateFile: b}}]", "nodeGroups.0.frontDoor.certificateFile: Extra inputs"),
        (
            "[{name: a, nodes: {cluster: x}}, {name: b, nodes: {cluster: y}}, {name: a}]",
            "nodeGroups: 2.name is 'a', as 0.name is; give every group a name of its own",
        ),
        (
            "[{name: a}, {name: b, nodes: {cluster: y}}]",
            "1.nodes is cluster \"y\", all of which 0 ('a') takes before: no node is ever in 'b'; list it before 'a'",
        ),
        (
            "[{name: a, nodes: {cluster: x}}, {name: b, nodes: {cluster: x, metadata: {zone: z}}}]",
            'nodeGroups: 1.nodes is cluster "x" and metadata zone "z", all of which 0',
        ),
        (
            "[{name: a, nodes: {metadata: {z: x}}}, {name: b, nodes: {metadata: {z: x}}}]",
            'nodeGroups: 1.nodes is metadata z "x", all of which 0',
        ),
    ],
)
def test_groups_that_make_no_sense_are_refused(groups: str, sentence: str, tmp_path: Path) -> None:
    """The complaint names the setting, its value and the remedy; a group no node could be in is one of them."""
    with pytest.raises(SettingsError) as caught:
        settings_of(f"nodeGroups: {groups}", tmp_path)

    assert sentence in str(caught.value)


def test_groups_that_share_only_some_nodes_may_stand_together() -> None:
    """The first has those that both would take."""
    first = NodeGroup.model_validate({"name": "a", "nodes": {"cluster": "x"}})
    second = NodeGroup.model_validate({"name": "b", "nodes": {"metadata": {"cluster": "x"}}})

    assert ["a", "b"] == [group_of((first, second), cluster, {"cluster": "x"}) for cluster in ("x", "y")]
