"""Removals that are withheld, as problems and as what a confirmation let go."""

from __future__ import annotations

from controlplane.admin.removals import problems, released, sentence
from controlplane.model.resource import CLUSTER, ENDPOINTS
from controlplane.xds.status import Withheld


def withheld(node_id: str, type_url: str = CLUSTER, names: int = 900, group: str = "") -> Withheld:
    """So many of 1,000."""
    return Withheld(node_id, group, type_url, names, 1000)


def test_nothing_withheld_is_no_problem() -> None:
    """Most of the time there is nothing to say."""
    assert problems([]) == []


def test_proxies_that_stand_alike_are_one_problem() -> None:
    """A fleet that lost the same has one sentence a type, with what to do."""
    told = problems([withheld("envoy-3"), withheld("envoy-1"), withheld("envoy-2"), withheld("envoy-1", ENDPOINTS, 1)])

    assert [problem.message for problem in told] == [
        "900 of 1,000 Cluster resources would go from proxy envoy-1 and 2 more; they are kept until confirmed",
        "1 of 1,000 ClusterLoadAssignment resources would go from proxy envoy-1; they are kept until confirmed",
    ]
    assert str(told[0]).startswith("proxies: 900 of 1,000 Cluster resources would go")
    assert told[0].remedy == "put the registrations back, or run `isthmus confirm-removals` if they are meant to go"


def test_node_groups_are_told_apart() -> None:
    """Each group has registrations of its own, and is confirmed by itself."""
    told = problems([withheld("a", group="edge"), withheld("b", group="inner"), withheld("c", group="edge")])

    assert [(problem.subject, "and 1 more" in problem.message) for problem in told] == [
        ("node group edge", True),
        ("node group inner", False),
    ]


def test_a_confirmation_is_one_sentence() -> None:
    """It says for whom and how many of what."""
    both = [withheld("envoy-2"), withheld("envoy-1"), withheld("envoy-1", ENDPOINTS, 1)]

    assert sentence(released(both, 2)) == (
        "Confirmed for proxy envoy-1 and 1 more: 900 of 1,000 Cluster resources, "
        "1 of 1,000 ClusterLoadAssignment resources go now."
    )


def test_nothing_to_confirm_is_said() -> None:
    """It is no error."""
    assert sentence(released([], 0)) == "No removals are withheld, so there is nothing to confirm."
