"""Full files make way, and lines stay whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.audit.retention import Limits
from controlplane.audit.rotation import RotatingFile, Stdout, opened
from controlplane.audit.writer import Lost
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


def test_no_full_file_takes_the_place_of_another(tmp_path: Path) -> None:
    """Four of one and the same moment are told apart by a millisecond, also where one is compressed already."""
    (tmp_path / "audit-2023-11-14T22-13-21.001.log.gz").write_bytes(b"earlier")

    files = written(tmp_path / "audit.log", Limits(size=10), 4 * [LINE])

    assert files == {
        "audit-2023-11-14T22-13-21.000.log": LINE,
        "audit-2023-11-14T22-13-21.001.log.gz": b"earlier",
        "audit-2023-11-14T22-13-21.002.log": LINE,
        "audit-2023-11-14T22-13-21.003.log": LINE,
        "audit.log": LINE,
    }


@pytest.mark.parametrize("remove", [Path.unlink, lambda path: shutil.rmtree(path.parent)])
def test_a_file_that_somebody_removed_is_begun_anew(remove: Callable[[Path], object], tmp_path: Path) -> None:
    """At once, and its folder too: what goes to a removed file is lost to everybody."""
    path = tmp_path / "logs" / "audit.log"
    log = RotatingFile(path, Limits(), Clock())
    log.write([LINE])
    remove(path)

    assert log.write([LINE]) is None
    log.close()
    assert path.read_bytes() == LINE


def test_a_file_that_somebody_moved_is_left_to_them(tmp_path: Path) -> None:
    """The next line begins another one under the name."""
    path, moved = tmp_path / "audit.log", tmp_path / "mine"
    log = RotatingFile(path, Limits(), Clock())
    log.write([LINE])
    path.rename(moved)

    log.write([2 * LINE])
    log.close()

    assert (moved.read_bytes(), path.read_bytes()) == (LINE, 2 * LINE)


def full_after(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A disk that has room for so many bytes more."""
    write, left = os.write, size

    def some(descriptor: int, data: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(28, "No space left on device")
        done = write(descriptor, data[:left])
        left -= done
        return done

    monkeypatch.setattr(os, "write", some)


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of a line leaves whole lines, and the next one is readable."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(), Clock())
    log.write([LINE])

    full_after(monkeypatch, 4)
    lost = log.write([LINE])
    monkeypatch.undo()
    log.write([LINE])
    log.close()

    assert Lost(1, "No space left on device") == lost
    assert path.read_bytes() == 2 * LINE


def test_only_what_is_lost_counts_as_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of lines for three files, those in the files before the disk was full are there."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(size=20), Clock())

    full_after(monkeypatch, 45)
    lost = log.write(6 * [LINE])
    monkeypatch.undo()
    log.close()

    assert Lost(2, "No space left on device") == lost
    assert 4 * LINE == b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_a_file_that_somebody_emptied_has_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken back ends where the file ended just before, not where it once did."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(), Clock())
    log.write(9 * [LINE])
    os.truncate(path, 0)

    full_after(monkeypatch, 4)
    log.write([LINE])
    monkeypatch.undo()
    log.close()

    assert path.read_bytes() == b""


def test_without_a_file_all_is_lost(tmp_path: Path) -> None:
    """A folder in its place is no file, and no line is said to be written."""
    path = tmp_path / "audit.log"
    log = RotatingFile(path, Limits(), Clock())
    path.unlink()
    path.mkdir()

    lost = log.write([LINE, LINE])
    log.close()

    assert Lost(2, "Is a directory") == lost


def test_standard_output_is_written_and_left_open() -> None:
    """All of it, however little is taken at a time."""
    reading, writing = os.pipe()
    out = Stdout(writing)
    lost = out.write([LINE, LINE])
    out.close()
    os.close(writing)

    assert (os.read(reading, 100), lost) == (2 * LINE, None)
    os.close(reading)


def test_standard_output_that_does_not_wait_is_waited_for() -> None:
    """Somebody may have made a shared pipe so; nothing is lost, and no line is cut."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
    lines, told = [100 * b"x" + b"\n" for _ in range(3000)], list[Lost | None]()

    def write() -> None:
        told.append(Stdout(writing).write(lines))
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as reader:
        found = reader.read()
    thread.join()

    assert (found, told) == (b"".join(lines), [None])


def test_half_a_line_on_standard_output_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended before the next one, and counted as lost."""
    with (tmp_path / "out").open("wb") as file:
        out = Stdout(file.fileno())
        full_after(monkeypatch, 14)
        lost = [out.write([LINE, LINE]), out.write([LINE])]
        monkeypatch.undo()
        out.write([LINE])

    reason = "No space left on device"
    assert [Lost(1, reason), Lost(1, reason)] == lost
    assert [LINE, b"1234\n", LINE] == (tmp_path / "out").read_bytes().splitlines(keepends=True)


def test_the_settings_say_where_to(tmp_path: Path) -> None:
    """A dash is standard output; a path that cannot be written stops the start in words."""
    assert isinstance(opened(AuditLog(), Clock()), Stdout)
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"^audit.log.path: .*file/audit.log cannot be written"):
        opened(AuditLog(path=tmp_path / "file" / "audit.log"), Clock())


def test_an_age_that_nobody_lives_to_see_is_no_limit(tmp_path: Path) -> None:
    """More days than there are dates are taken as they are meant."""
    log = opened(AuditLog(path=tmp_path / "audit.log", max_age=10**12), Clock())

    assert log.write([LINE]) is None
    log.close()
