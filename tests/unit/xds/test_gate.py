"""Waits for clusters."""

from controlplane.model.resource import ROUTE, ResourceName
from controlplane.xds.gate import Gate

R, S = ResourceName(ROUTE, "r"), ResourceName(ROUTE, "s")


def test_acknowledged_cluster_opens_the_gate_for_all_who_wait() -> None:
    """Whoever waited for the cluster is told once."""
    gate = Gate(5.0)
    gate.wait(R, "c", 0.0)
    gate.wait(S, "c", 1.0)

    assert ([R, S], []) == (list(gate.opened("c")), list(gate.opened("c")))


def test_waits_end_in_order_of_their_deadlines() -> None:
    """Each wait has the limit to itself."""
    gate = Gate(5.0)
    gate.wait(R, "c", 0.0)
    gate.wait(S, "d", 1.0)

    assert (5.0, [R], 6.0, [S], None) == (
        gate.deadline(),
        gate.expired(5.0),
        gate.deadline(),
        gate.expired(6.0),
        gate.deadline(),
    )


def test_ended_wait_is_overdue_until_it_has_passed() -> None:
    """What waited long enough goes through once, and waits again the next time."""
    gate = Gate(5.0)
    gate.wait(R, "c", 0.0)
    gate.expired(5.0)
    overdue = gate.overdue(R)
    gate.passed(R)

    assert (True, False) == (overdue, gate.overdue(R))


def test_wait_for_rejected_content_has_no_limit() -> None:
    """Time does not mend a rejected cluster."""
    gate = Gate(5.0)
    gate.wait(R, "c", 0.0)
    gate.wait_for_content(R, "c")

    assert (None, [], [R]) == (gate.deadline(), gate.expired(1000.0), list(gate.opened("c")))


def test_progress_lets_all_waits_begin_anew() -> None:
    """An answer about any cluster is a sign of life: the limit counts from it."""
    gate = Gate(5.0)
    gate.wait(R, "c", 0.0)
    gate.progress(4.0)

    assert ([], 9.0, [R]) == (gate.expired(5.0), gate.deadline(), gate.expired(9.0))
