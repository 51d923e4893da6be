"""Lines get to the disk, or are counted."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from controlplane.audit.backlog import Backlog
from controlplane.audit.metrics import AuditMetrics
from controlplane.audit.writer import Lost, Writer


class Disk:
    """A destination that can be held up, and fail."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.failing = False
        self.closed = False
        self.free = threading.Event()
        self.free.set()
        self.taken = threading.Semaphore(0)

    def write(self, lines: list[bytes]) -> Lost | None:
        """Keeps lines."""
        self.taken.release()
        assert self.free.wait(10)
        if self.failing:
            return Lost(len(lines), "No space left on device")
        self.lines += lines
        return None

    def close(self) -> None:
        """Ends."""
        self.closed = True


def lost(registry: CollectorRegistry, reason: str) -> float | None:
    """How many events were lost for that reason."""
    return registry.get_sample_value("isthmus_audit_lost_total", {"reason": reason})


async def test_everything_is_written_before_the_end() -> None:
    """In order; then the destination is closed."""
    disk = Disk()
    writer = Writer(disk, AuditMetrics(CollectorRegistry()))

    async with writer.running():
        for number in range(100):
            writer.put([b"%d\n" % number])

    assert disk.lines == [b"%d\n" % number for number in range(100)]
    assert disk.closed


async def test_what_comes_too_fast_is_dropped_counted_and_said_once() -> None:
    """A disk that stands still holds up nobody; no more than the limit is remembered."""
    disk, registry = Disk(), CollectorRegistry()
    writer = Writer(disk, AuditMetrics(registry), limit=4)
    with capture_logs() as logs:
        async with writer.running():
            disk.free.clear()
            writer.put([b"1\n"])
            assert disk.taken.acquire(timeout=10)
            for line in (b"2\n", b"3\n", b"4\n", b"5\n"):
                writer.put([line])
            wrong = writer.wrong()
            disk.free.set()

    assert disk.lines == [b"1\n", b"2\n", b"3\n"]
    assert lost(registry, "full") == 2
    assert [log["event"] for log in logs] == ["audit log cannot keep up, events are dropped"]
    assert "the backlog is full" == wrong


async def test_what_cannot_be_written_is_counted_and_said_once() -> None:
    """And the log says when it can be again."""
    disk, registry = Disk(), CollectorRegistry()
    writer = Writer(disk, AuditMetrics(registry))
    with capture_logs() as logs:
        async with writer.running():
            disk.failing = True
            for line in (b"1\n", b"2\n"):
                disk.free.clear()
                writer.put([line])
                assert disk.taken.acquire(timeout=10)
                disk.free.set()
            wrong = writer.wrong()
            disk.free.clear()
            writer.put([b"3\n"])
            assert disk.taken.acquire(timeout=10)
            disk.failing = False
            disk.free.set()

    assert disk.lines == [b"3\n"]
    assert ("No space left on device", "") == (wrong, writer.wrong())
    assert lost(registry, "write") == 2
    assert [(log["event"], log.get("reason")) for log in logs] == [
        ("audit log cannot be written, events are lost", "No space left on device"),
        ("audit log is written again", None),
    ]


def test_nothing_is_taken_after_the_end() -> None:
    """What was there is given out once more, then nothing; what comes later counts as dropped."""
    backlog = Backlog(100)
    assert backlog.put([b"1\n", b"2\n"]) == 0
    backlog.end()

    assert backlog.put([b"3\n"]) == 1
    assert [backlog.take(), backlog.take()] == [[b"1\n", b"2\n"], []]


def test_what_is_taken_is_little_at_a_time() -> None:
    """What a slow disk is given is held besides what waits, so it is no more than about a megabyte."""
    backlog, line = Backlog(1 << 30), bytes(1 << 19)
    backlog.put(5 * [line])

    assert [2, 2, 1] == [len(backlog.take()) for _ in range(3)]
