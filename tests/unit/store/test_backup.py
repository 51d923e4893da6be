"""Backups: whole, private, few; and the way back."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controlplane.errors import StartError
from controlplane.store.backup import BackupError, back_up, examined, restore
from controlplane.store.interface import CompactedError, Key, Put, Scope, Store, Txn, Written
from controlplane.store.opening import connect
from controlplane.store.sqlite import opened
from controlplane.store.standing import latest, standing

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "isthmus.db"


async def _put(store: Store, name: str) -> int:
    written = await store.write(Txn((Put(Key("r", "", name), b"x" * 500),)))
    assert isinstance(written, Written)
    return written.revision


async def _names(path: Path) -> list[str]:
    async with opened(path, lambda _: None, backups=path.parent) as store:
        return [item.key.name for item in (await store.list(Scope())).items]


async def _fill(path: Path, *names: str) -> None:
    async with opened(path, lambda _: None, backups=path.parent) as store:
        for name in names:
            await _put(store, name)


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"x" * 500) + 100] ^= 1
    path.write_bytes(data)


async def test_a_backup_while_others_write(path: Path, tmp_path: Path) -> None:
    """It holds one moment of a store that is in use: everything up to its revision and nothing after."""
    async with opened(path, lambda _: None, backups=tmp_path) as store:
        going = True

        async def writing() -> None:
            number = 0
            while going:
                number += 1
                await _put(store, f"n{number:05}")

        writer = asyncio.create_task(writing())
        backups = [
            await asyncio.to_thread(back_up, path, tmp_path / "b", keep=9, now=NOW + timedelta(seconds=second))
            for second in range(5)
        ]
        going = False
        await writer

    # The first write is revision 2, and every revision is one more object.
    assert [backup.revision - 1 for backup in backups] == [backup.objects for backup in backups]
    for backup in backups:
        assert [f"n{number + 1:05}" for number in range(backup.objects)] == (await _names(backup.path))[:500] + [
            f"n{number + 1:05}" for number in range(500, backup.objects)
        ]


async def test_a_backup_is_one_private_file(path: Path, tmp_path: Path) -> None:
    """Mode 0600, nothing beside it, and a name that says when it was made."""
    await _fill(path, "a")
    backup = back_up(path, tmp_path / "b", keep=3, now=NOW)

    assert [tmp_path / "b" / "isthmus-20261121T120000.000Z.db"] == list((tmp_path / "b").iterdir()) == [backup.path]
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert backup == examined(backup.path)


async def test_the_oldest_backups_go(path: Path, tmp_path: Path) -> None:
    """As many are kept as is asked for; files with other names are left alone."""
    await _fill(path, "a")
    folder = tmp_path / "b"
    folder.mkdir()
    others = [folder / "notes.txt", folder / "isthmus-old.db", folder / "other-20261121T120000.000Z.db"]
    for other in others:
        other.write_text("")
    made = [back_up(path, folder, keep=2, now=NOW + timedelta(hours=hour)).path for hour in range(4)]

    assert tuple(made[2:]) == standing(folder, path)
    assert made[3] == latest(folder, path)
    assert all(other.exists() for other in others)


async def test_a_damaged_database_gives_no_backup(path: Path, tmp_path: Path) -> None:
    """The backups there are stay, and no half one is left behind."""
    await _fill(path, *"abcdefgh")
    good = back_up(path, tmp_path / "b", keep=1, now=NOW).path
    _damage(path)

    with pytest.raises(BackupError, match="is damaged"):
        back_up(path, tmp_path / "b", keep=1, now=NOW + timedelta(hours=1))
    assert [good] == list((tmp_path / "b").iterdir())


def test_a_database_that_is_not_there(path: Path, tmp_path: Path) -> None:
    """A mistyped path makes neither a database nor a backup."""
    with pytest.raises(BackupError, match="is not there"):
        back_up(path, tmp_path / "b", keep=1, now=NOW)
    assert not path.exists()


def test_a_backup_is_restored(path: Path, tmp_path: Path) -> None:
    """The objects are those of the backup; the old file, here a damaged one with its log, lies beside."""
    asyncio.run(_fill(path, "a", "b"))
    backup = back_up(path, tmp_path / "b", keep=1, now=NOW)
    path.write_bytes(b"damaged" * 1000)
    (tmp_path / "isthmus.db-wal").write_bytes(b"log")
    restored, aside = restore(path, backup.path, now=NOW)

    assert (backup, tmp_path / "isthmus.db.20261121T120000") == (restored, aside)
    assert ["a", "b"] == asyncio.run(_names(path))
    assert aside is not None
    assert aside.read_bytes() == b"damaged" * 1000
    assert (tmp_path / "isthmus.db.20261121T120000-wal").read_bytes() == b"log"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_restored_store_is_another_history(path: Path, tmp_path: Path) -> None:
    """Revisions go on far beyond the old ones, and who resumes from one that was lost must list anew."""
    await _fill(path, "a")
    backup = back_up(path, tmp_path / "b", keep=1, now=NOW)
    async with opened(path, lambda _: None, backups=tmp_path) as store:
        lost = await _put(store, "b")
    restore(path, backup.path, now=NOW)
    async with opened(path, lambda _: None, backups=tmp_path) as store:
        assert await _put(store, "c") > lost + 1_000_000
        with pytest.raises(CompactedError):
            await anext(store.watch(Scope(), after=lost))


async def test_a_database_in_use_is_not_replaced(path: Path, tmp_path: Path) -> None:
    """A running control plane keeps its database."""
    await _fill(path, "a")
    backup = back_up(path, tmp_path / "b", keep=1, now=NOW)
    async with opened(path, lambda _: None, backups=tmp_path) as store:
        await _put(store, "b")
        with pytest.raises(StartError, match="is in use by process"):
            restore(path, backup.path, now=NOW)

    assert ["a", "b"] == await _names(path)


async def test_only_a_whole_backup_is_restored(path: Path, tmp_path: Path) -> None:
    """What is not there, no database, another program's, or damaged is refused, and the database stays."""
    await _fill(path, "a", "b")
    damaged = back_up(path, tmp_path / "b", keep=1, now=NOW).path
    _damage(damaged)
    text, foreign = tmp_path / "text.db", tmp_path / "foreign.db"
    text.write_text("no database" * 100)
    with closing(connect(foreign, "mode=rwc")) as connection:
        connection.execute("create table theirs (x)")

    for backup in (damaged, text, foreign, tmp_path / "none.db"):
        with pytest.raises(BackupError, match=str(backup)):
            restore(path, backup, now=NOW)
    assert ["a", "b"] == await _names(path)
