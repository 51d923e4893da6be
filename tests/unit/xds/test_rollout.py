from __future__ import annotations

import pytest
from unit.xds.client import NODE, Build, Client

from controlplane.model.resource import CLUSTER
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.fleet import Fleet
from controlplane.xds.request import Node
from controlplane.xds.stream import Protocol

FIRST = Build.snapshot(Build.cluster("a"))
SECOND = FIRST.updated([Build.cluster("b")])


def a_client(snapshot: Snapshot, node: str = NODE.id) -> Client:
    """A client of all clusters that has acknowledged a snapshot."""
    client = Client(snapshot, Protocol.DELTA)
    client.ask(CLUSTER, node=Node(node))
    client.settle()
    return client


class Waiting:
    """A fleet whose streams are waited for."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.calls = 0

    def done(self) -> None:
        """Is called when nobody is behind."""
        self.calls += 1

    def join(self, client: Client, group: str = "") -> None:
        """Opens a stream."""
        self.fleet.join(client.stream, group, lambda: None)


@pytest.fixture
def waiting() -> Waiting:
    """A fleet of nobody."""
    return Waiting()


def test_nobody_is_waited_for_where_nobody_is(waiting: Waiting) -> None:
    """Without streams it is done as soon as it begins."""
    with waiting.fleet.awaiting({"": 2}, waiting.done) as rollout:
        assert (1, ()) == (waiting.calls, rollout.behind)


def test_a_stream_is_waited_for_until_it_acknowledged_all(waiting: Waiting) -> None:
    """What was sent is not enough, nor is what another acknowledged."""
    one, two = a_client(FIRST, "one"), a_client(FIRST, "two")
    for client in (one, two):
        waiting.join(client)
        client.offer(SECOND)
    with waiting.fleet.awaiting({"": SECOND.generation}, waiting.done) as rollout:
        sent = one.all()
        waiting.fleet.rested(one.stream)
        assert (0, ("one", "two")) == (waiting.calls, rollout.behind)

        for answer in sent:
            one.ack(answer)
        one.settle()
        waiting.fleet.rested(one.stream)
        assert (0, ("two",)) == (waiting.calls, rollout.behind)

        two.settle()
        waiting.fleet.rested(two.stream)
        assert (1, ()) == (waiting.calls, rollout.behind)


def test_what_was_acknowledged_before_is_not_waited_for(waiting: Waiting) -> None:
    """A stream that is further than the generation has it."""
    waiting.join(a_client(SECOND))
    with waiting.fleet.awaiting({"": FIRST.generation}, waiting.done):
        assert 1 == waiting.calls


def test_groups_count_by_themselves(waiting: Waiting) -> None:
    """A stream is behind by its own group's generation."""
    waiting.join(a_client(FIRST, "edge"), "edge")
    waiting.join(a_client(FIRST, "inner"), "inner")
    with waiting.fleet.awaiting({"edge": FIRST.generation, "inner": FIRST.generation + 1}, waiting.done) as rollout:
        assert ("inner",) == rollout.behind


def test_one_that_closes_is_waited_for_no_more(waiting: Waiting) -> None:
    """One that opens meanwhile is, until it has all."""
    old, new = a_client(FIRST, "old"), Client(SECOND, Protocol.DELTA)
    waiting.join(old)
    with waiting.fleet.awaiting({"": SECOND.generation}, waiting.done) as rollout:
        waiting.join(new)
        waiting.fleet.leave(old.stream)
        assert 0 == waiting.calls

        new.ask(CLUSTER, node=Node("new"))
        assert ("new",) == rollout.behind
        new.settle()
        waiting.fleet.rested(new.stream)
        assert (1, ()) == (waiting.calls, rollout.behind)


def test_afterwards_nobody_is_called(waiting: Waiting) -> None:
    """When the waiting is over, streams go on without it."""
    client = a_client(FIRST)
    waiting.join(client)
    client.offer(SECOND)
    with waiting.fleet.awaiting({"": SECOND.generation}, waiting.done):
        pass
    client.settle()
    waiting.fleet.rested(client.stream)

    assert 0 == waiting.calls
