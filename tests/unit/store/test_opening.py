"""Opening a database: what is refused at the start, and what is made."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlplane.errors import StartError
from controlplane.store.backup import back_up
from controlplane.store.interface import Key, Put, Scope, Txn
from controlplane.store.opening import Database
from controlplane.store.sqlite import opened

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OTHER_PROCESS = """
import sys
from pathlib import Path
from controlplane.store.opening import Database
Database(Path(sys.argv[1]), Path()).open_for_writing()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "store" / "isthmus.db"


async def _write(path: Path, *names: str, value: bytes = b"x" * 3000) -> int:
    async with opened(path, lambda _: None, backups=path.parent) as store:
        for name in names:
            await store.write(Txn((Put(Key("r", "", name), value),)))
        return len((await store.list(Scope())).items)


def _fill(path: Path) -> None:
    asyncio.run(_write(path, *(f"n{number}" for number in range(100))))


def _refusal(path: Path) -> str:
    database = Database(path, path.parent / "backups")
    try:
        with pytest.raises(StartError) as refused:
            database.open_for_writing()
    finally:
        database.close()
    return str(refused.value)


def test_files_are_for_one_user(path: Path) -> None:
    """The folder is made with mode 0700, every file in it with 0600 whatever the umask, and a looser file mended."""
    before = os.umask(0)
    database = Database(path, path.parent)
    try:
        asyncio.run(_write(path, "a"))
        path.chmod(0o644)
        with closing(database.open_for_writing()):
            modes = {entry.name: entry.stat().st_mode & 0o777 for entry in os.scandir(path.parent)}
    finally:
        os.umask(before)
        database.close()

    assert {f"isthmus.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm", ".lock")} == modes
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_closed_store_is_one_file(path: Path) -> None:
    """The log is worked in at the end, also after the store was read, so that a plain copy is a whole one."""
    await _write(path, "a")

    assert {"isthmus.db", "isthmus.db.lock"} == {entry.name for entry in os.scandir(path.parent)}


def test_a_write_waits_for_the_disk(path: Path) -> None:
    """The log is written ahead and synced at every commit."""
    database = Database(path, path.parent)
    with closing(database.open_for_writing()) as connection:
        assert ("wal",) == connection.execute("pragma journal_mode").fetchone()
        assert (2,) == connection.execute("pragma synchronous").fetchone()
    database.close()


def test_two_processes_on_one_database(path: Path) -> None:
    """The second says in one sentence which process has it; once that is killed, the database is free."""
    command = [sys.executable, "-c", OTHER_PROCESS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        refusal = _refusal(path)
        other.kill()
    database = Database(path, path.parent)
    database.open_for_writing().close()
    database.close()

    assert (
        f"{path}: is in use by process {other.pid}; stop that process, or give this one a database of its own"
        == refusal
    )


def test_a_process_may_not_open_a_database_twice(path: Path) -> None:
    """The lock is of the opening, not of the process."""
    database = Database(path, path.parent)
    connection = database.open_for_writing()

    assert f"is in use by process {os.getpid()}" in _refusal(path)
    connection.close()
    database.close()


@pytest.mark.parametrize("place", ["header", "schema", "table", "value", "end"])
def test_a_damaged_database(path: Path, place: str) -> None:
    """Wherever it is damaged: the file, what is wrong, the last backup, and the command that restores it."""
    _fill(path)
    last = back_up(path, path.parent / "backups", keep=3, now=NOW).path
    data = bytearray(path.read_bytes())
    match place:
        case "header":
            data[:16] = b"not a database!!"
        case "schema":
            data[100:110] = b"\xff" * 10
        case "table":
            for page in range(4096 * 4, len(data), 4096):
                data[page : page + 8] = b"\xff" * 8
        case "value":
            data[data.index(b"x" * 2000) + 1000] ^= 1
        case "end":
            del data[len(data) // 2 :]
    path.write_bytes(data)
    refusal = _refusal(path)

    assert refusal.startswith(f"{path}: the database is damaged (")
    assert refusal.endswith(f"); the last backup is {last}; restore it with: isthmus restore {path} --from {last}")


def test_a_damaged_database_without_a_backup(path: Path) -> None:
    """The message says where backups were looked for."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 1000)

    assert f"there is no backup in {path.parent / 'backups'}; if you have one elsewhere, restore it with" in _refusal(
        path
    )


def test_an_empty_file_with_a_backup_is_damaged(path: Path) -> None:
    """A database that lost all its bytes is not taken for a new one."""
    _fill(path)
    back_up(path, path.parent / "backups", keep=3, now=NOW)
    path.write_bytes(b"")

    assert "the database is damaged (it is empty); the last backup is" in _refusal(path)


def test_a_database_of_another_program(path: Path) -> None:
    """It is left as it is."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table theirs (x)")
    before = path.read_bytes()

    assert f"{path}: is a database of another program; choose another path for the store" == _refusal(path)
    assert before == path.read_bytes()


def test_a_database_of_a_later_release(path: Path) -> None:
    """A schema that is not known is not touched."""
    _fill(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version = 99")

    assert re.fullmatch(
        rf"{path}: was written by a later release \(schema 99 .*\); run that release, or restore a backup",
        _refusal(path),
    )


async def test_a_path_that_is_a_link(path: Path, tmp_path: Path) -> None:
    """Both names are one database: the lock lies beside the file itself."""
    await _write(path, "a")
    link = tmp_path / "link.db"
    link.symlink_to(path)

    assert await _write(link, "b") == 2
    assert not (tmp_path / "link.db.lock").exists()


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where a folder should be stops the start."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="choose another path for the store"):
        await _write(tmp_path / "file" / "isthmus.db", "a")
