"""The streams of all node groups together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.xds.client import NAMES, Client, guarded, without

from controlplane.xds.fleet import Fleet


class Member:
    """A client of a fleet that counts how often it is woken."""

    def __init__(self, fleet: Fleet, group: str) -> None:
        self.client: Client = guarded()
        self.woken = 0
        fleet.join(self.client.stream, group, self.wake)

    def wake(self) -> None:
        """Is called by the fleet."""
        self.woken += 1

    def lose(self, *names: str) -> None:
        """The next snapshot lacks these clusters."""
        self.client.offer(without(self.client.stream.snapshot, *names))
        self.client.settle()


@pytest.fixture
def fleet() -> Fleet:
    """A fleet of nobody."""
    return Fleet()


def test_withheld_removals_are_told_by_group_and_type(fleet: Fleet) -> None:
    """Streams that withhold nothing are not mentioned."""
    edge, inner = Member(fleet, "edge"), Member(fleet, "inner")
    edge.lose(*NAMES)
    inner.lose("c0")

    assert fleet.withholding() == 1
    assert [(one.group, one.type_url.rpartition(".")[2], one.names, one.held) for one in fleet.withheld()] == [
        ("edge", "Cluster", 10, 10),
        ("edge", "ScopedRouteConfiguration", 10, 10),
    ]


def test_confirmation_wakes_the_streams_of_its_group_that_withhold(fleet: Fleet) -> None:
    """How many there are is what is answered."""
    members = [Member(fleet, group) for group in ("edge", "edge", "inner")]
    members[0].lose(*NAMES)
    members[2].lose(*NAMES)
    released = fleet.confirm("edge", 2)

    assert (released, [member.woken for member in members]) == (1, [1, 0, 0])


def test_confirmation_is_remembered_by_group(fleet: Fleet) -> None:
    """Streams that are opened later are told of it."""
    fleet.confirm("edge", 7)

    assert (fleet.confirmed("edge"), fleet.confirmed("inner")) == (7, -1)


def test_statuses_say_the_group(fleet: Fleet) -> None:
    """In the order in which the streams were opened; a closed one is gone."""
    edge, inner, gone = Member(fleet, "edge"), Member(fleet, "inner"), Member(fleet, "edge")
    fleet.leave(gone.client.stream)
    streams = [edge.client.stream.status(), inner.client.stream.status()]

    assert fleet.statuses() == [replace(streams[0], group="edge"), replace(streams[1], group="inner")]
