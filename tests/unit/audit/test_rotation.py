"""Full files make way, and lines stay whole."""

from __future__ import annotations

import gzip
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from controlplane.audit.rotation import Limits, RotatingFile, Stdout, opened
from controlplane.errors import StartError
from controlplane.settings.audit import AuditLog

START = 1_700_000_000.0
LINE = b"123456789\n"


class Clock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """The time."""
        return self.now


def written(path: Path, limits: Limits, *batches: list[bytes], apart: float = 1.0) -> dict[str, bytes]:
    """What is in the folder after each batch was written `apart` seconds after the other."""
    clock = Clock()
    log = RotatingFile(path, limits, clock)
    for batch in batches:
        clock.now += apart
        log.write(batch)
    log.close()
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


def test_a_file_is_begun_readable_by_its_owner_and_gone_on_with(tmp_path: Path) -> None:
    """Its folder too is made; without a limit nothing is rotated."""
    path = tmp_path / "logs" / "audit.log"
    written(path, Limits(), [LINE])

    assert written(path, Limits(), 100 * [LINE]) == {"audit.log": 101 * LINE}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_full_file_gets_the_time_in_its_name(tmp_path: Path) -> None:
    """As kube-apiserver names it; lines are never split, and one that is too large has a file of its own."""
    huge = 30 * b"x" + b"\n"
    files = written(tmp_path / "audit.log", Limits(size=25), 3 * [LINE], [huge], [LINE])

    assert files == {
        "audit-2023-11-14T22-13-21.000.log": 2 * LINE,
        "audit-2023-11-14T22-13-22.000.log": LINE,
        "audit-2023-11-14T22-13-23.000.log": huge,
        "audit.log": LINE,
    }


def test_only_so_many_full_files_are_kept(tmp_path: Path) -> None:
    """The newest; files of other names are nobody's business."""
    other = tmp_path / "audit-of-last-year.log"
    other.write_text("mine")

    files = written(tmp_path / "audit.log", Limits(size=10, backups=2), *([LINE] for _ in range(5)))

    assert sorted(files) == [
        "audit-2023-11-14T22-13-24.000.log",
        "audit-2023-11-14T22-13-25.000.log",
        "audit-of-last-year.log",
        "audit.log",
    ]


def test_full_files_end_with_their_age(tmp_path: Path) -> None:
    """What is older than allowed goes when the next file is full."""
    limits = Limits(size=10, age=timedelta(days=1))

    files = written(tmp_path / "audit.log", limits, *([LINE] for _ in range(5)), apart=40_000)

    assert len(files) == 4  # the one in use, and three of the last 80,000 seconds


def test_full_files_are_compressed(tmp_path: Path) -> None:
    """With gzip, and nothing is left of what they were before."""
    files = written(tmp_path / "audit.log", Limits(size=10, compress=True), [LINE], [LINE], [LINE])

    assert sorted(files) == [
        "audit-2023-11-14T22-13-22.000.log.gz",
        "audit-2023-11-14T22-13-23.000.log.gz",
        "audit.log",
    ]
    assert gzip.decompress(files["audit-2023-11-14T22-13-22.000.log.gz"]) == LINE


def test_a_file_that_somebody_removed_is_begun_anew(tmp_path: Path) -> None:
    """At the latest when it would have been full."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(size=10), Clock())
    log.write([LINE])
    path.unlink()

    log.write([LINE])
    log.close()

    assert path.read_bytes() == LINE


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of a line leaves whole lines, and the next one is readable."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(), Clock())
    log.write([LINE])
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < len(LINE):
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:4])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        log.write([LINE])
    monkeypatch.undo()
    log.write([LINE])
    log.close()

    assert path.read_bytes() == 2 * LINE


def test_standard_output_is_written_and_left_open() -> None:
    """All of it, however little is taken at a time."""
    reading, writing = os.pipe()
    out = Stdout(writing)
    out.write([LINE, LINE])
    out.close()
    os.close(writing)

    assert os.read(reading, 100) == 2 * LINE
    os.close(reading)


def test_the_settings_say_where_to(tmp_path: Path) -> None:
    """A dash is standard output; a path that cannot be written stops the start in words."""
    assert isinstance(opened(AuditLog(), Clock()), Stdout)
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"^audit.log.path: .*file/audit.log cannot be written"):
        opened(AuditLog(path=tmp_path / "file" / "audit.log"), Clock())
