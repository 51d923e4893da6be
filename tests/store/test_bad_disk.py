"""A disk that takes no more: writes are refused, reads go on, and writes come back by themselves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.store.interface import Key, Put, Txn
from controlplane.store.sqlite import opened

PROGRAM = Path(__file__).with_name("bad_disk.py")


@pytest.fixture
def database() -> Iterator[Path]:
    """A database with one object, in a folder that other users can come to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "store" / "isthmus.db"
        asyncio.run(_fill(path))
        (path.parent / "isthmus.db.lock").unlink()
        yield path


async def _fill(path: Path) -> None:
    async with opened(path, lambda _: None, backups=path.parent) as store:
        await store.write(Txn((Put(Key("r", "", "there"), b"x"),)))


def _told(what: str, database: Path) -> list[str]:
    command = [sys.executable, str(PROGRAM), what, str(database)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.splitlines()


def test_a_disk_without_room(database: Path) -> None:
    """What was written before is there, the next write is refused with the reason, and room makes it good."""
    problem, refused, *rest = _told("full", database)

    assert refused.startswith(("refused: cannot be read or written (disk I/O error)", "refused: the disk is full"))
    assert problem.startswith("problem: writes are refused: ")
    assert [
        "read: there x0 x1",
        "all of what was written is there: True",
        "problem:",
        "written again: True",
    ] == rest


def test_a_disk_that_cannot_be_written(database: Path) -> None:
    """A store opens and is read all the same; when it may be written, it is."""
    told = _told("read-only", database)

    assert [
        "problem: writes are refused: cannot be written (Permission denied)",
        "refused: cannot be written (Permission denied); see to the disk and to the permissions of file and folder",
        "read: there",
        "problem:",
        "written again: True",
        "read: again there",
    ] == told
