"""What is said of clients, however many there are."""

from __future__ import annotations

from structlog.testing import capture_logs

from controlplane.faces.unary.door import Door


def test_what_strangers_do_again_and_again_is_told_once() -> None:
    """However they vary the size of it; another fault is another matter, and after a minute it is news again."""
    now = 0.0
    door = Door("authorization", None, clock=lambda: now)
    with capture_logs() as logs:
        for size in range(100):
            door.closed(f"PRIORITY of {size} bytes")
        door.closed("no preface of HTTP/2")
        now = 60.0
        door.closed("PRIORITY of 7 bytes")

    assert ["PRIORITY of 0 bytes", "no preface of HTTP/2", "PRIORITY of 7 bytes"] == [log["reason"] for log in logs]
