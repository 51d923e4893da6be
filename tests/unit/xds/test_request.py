"""What a node is told that fits no node group."""

from controlplane.xds.request import Node, ungrouped


def test_a_node_without_a_group_is_told_who_it_is_and_what_is_looked_for() -> None:
    """A person compares the two and mends one of them."""
    node = Node("envoy-1", "front", metadata=(("zone", "east"),))

    assert (
        'node "envoy-1" with cluster "front", metadata zone "east" fits no node group (edge: cluster "edge"); '
        "correct node.cluster and node.metadata in its bootstrap, or let a group take such nodes"
    ) == ungrouped(node, 'edge: cluster "edge"')


def test_what_is_looked_for_need_not_be_known() -> None:
    """Whoever embeds the server may keep it to itself."""
    assert ungrouped(Node("a"), "").startswith('node "a" with cluster "" fits no node group; correct ')


def test_no_client_makes_the_message_long_or_breaks_its_line() -> None:
    """It goes to the log as well, and names come from outside."""
    told = ungrouped(Node("x" * 100_000, "a\nb", metadata=(("z", "y" * 100_000),)), "g" * 100_000)

    assert len(told) < 3000
    assert "\n" not in told
