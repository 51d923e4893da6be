"""What becomes of full files, by number, age and the wish to compress them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controlplane.audit import retention
from controlplane.audit.retention import Limits, settle
from controlplane.audit.rotation import RotatingFile

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def full(folder: Path, *days: int) -> Path:
    """Full files of those days of January; the path of the log."""
    for day in days:
        (folder / name(day)).write_bytes(b"{}\n")
    return folder / "audit.log"


def name(day: int) -> str:
    """The name of a file that was full then."""
    return f"audit-2026-01-{day:02}T00-00-00.000.log"


def names(folder: Path) -> set[str]:
    """What is in the folder."""
    return {each.name for each in folder.iterdir()}


def test_only_so_many_full_files_are_kept(tmp_path: Path) -> None:
    """The newest; files of other names are nobody's business."""
    path = full(tmp_path, 1, 2, 3, 4, 5)
    (tmp_path / "audit-of-last-year.log").write_text("mine")

    settle(path, Limits(backups=2), NOW)

    assert {name(4), name(5), "audit-of-last-year.log"} == names(tmp_path)


def test_full_files_end_with_their_age(tmp_path: Path) -> None:
    """What is older than allowed goes, what is just as old stays."""
    path = full(tmp_path, 1, 29, 30)

    settle(path, Limits(age=timedelta(days=2)), NOW)

    assert {name(29), name(30)} == names(tmp_path)


def test_full_files_are_compressed(tmp_path: Path) -> None:
    """With gzip, and nothing is left of what they were before; those that are stay as they are."""
    path = full(tmp_path, 1)
    (tmp_path / f"{name(2)}.gz").write_bytes(b"packed")

    settle(path, Limits(compress=True), NOW)

    assert {f"{name(1)}.gz", f"{name(2)}.gz"} == names(tmp_path)
    assert gzip.decompress((tmp_path / f"{name(1)}.gz").read_bytes()) == b"{}\n"


def test_what_only_looks_like_a_full_file_is_left_alone(tmp_path: Path) -> None:
    """A day that there is none, and a folder: neither keeps others from being removed."""
    path = full(tmp_path, 1, 2)
    (tmp_path / name(99)).write_text("mine")
    (tmp_path / name(30)).mkdir()

    settle(path, Limits(backups=1), NOW)

    assert {name(2), name(30), name(99)} == names(tmp_path)


def test_a_file_that_cannot_be_compressed_is_kept_and_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk half a copy would take the room of events; the others are put in order all the same."""
    path = full(tmp_path, 1, 2, 3)

    def fail(_: object, __: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retention.shutil, "copyfileobj", fail)
    with capture_logs() as logs:
        settle(path, Limits(backups=2, compress=True), NOW)

    assert {name(2), name(3)} == names(tmp_path)
    assert {("full audit logs not put in order", "No space left on device")} == {
        (log["event"], log["reason"]) for log in logs
    }


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    """There is nothing to put in order."""
    with capture_logs() as logs:
        settle(tmp_path / "gone" / "audit.log", Limits(backups=1), NOW)

    assert ["No such file or directory"] == [log["reason"] for log in logs]


def test_limits_count_from_the_start(tmp_path: Path) -> None:
    """Not only once a file is full, which may be in a month."""
    log = RotatingFile(full(tmp_path, 1, 2, 3), Limits(backups=1), NOW.timestamp)
    log.close()

    assert {name(3), "audit.log"} == names(tmp_path)
