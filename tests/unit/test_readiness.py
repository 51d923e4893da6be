from __future__ import annotations

import pytest

from controlplane.admin.health import Health
from controlplane.readiness import readiness

COUNTS = ["going", "read", "deciding", "serving", "known", "connected"]


def a_plane(failing: str = "", *, sidecar: bool = True) -> Health:
    """All parts are there; one fails."""

    def well(name: str) -> bool:
        return name != failing

    return readiness(
        going=lambda: well("going"),
        read=lambda: well("read"),
        deciding=lambda: well("deciding"),
        serving=lambda: well("serving"),
        known=lambda: well("known"),
        connected=(lambda: well("connected")) if sidecar else None,
        store=lambda: "" if well("store") else "the disk is full",
        audit_log=lambda: "" if well("audit_log") else "the disk is full",
        workers=lambda: {"authorization-worker-1": "" if well("worker") else "is starting"},
    )


def test_all_checks_are_shown_in_order() -> None:
    """Those that count first."""
    names = [line.split()[0] for line in a_plane().all(verbose=True).text.splitlines()[:-1]]

    expected = ["ping", "shutdown", "sources", "rulings", "xds", "discovery", "envoy"]
    assert [f"[+]{name}" for name in (*expected, "store", "audit-log", "authorization-worker-1")] == names
    assert a_plane(sidecar=False).one("envoy") is None


@pytest.mark.parametrize("failing", COUNTS)
def test_what_keeps_it_from_serving_counts(failing: str) -> None:
    """Any one of them."""
    assert 500 == a_plane(failing).all().status


@pytest.mark.parametrize("failing", ["store", "audit_log", "worker"])
def test_what_goes_wrong_meanwhile_takes_no_replica_out(failing: str) -> None:
    """It is shown."""
    assert 200 == a_plane(failing).all().status
    assert "failed: reason withheld" in a_plane(failing).all(verbose=True).text
