"""`isthmus backup` and `isthmus restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from controlplane.cli import main
from controlplane.store.interface import Key, Put, Scope, Txn
from controlplane.store.sqlite import opened


async def _write(path: Path, name: str) -> list[str]:
    async with opened(path, lambda _: None, backups=path.parent) as store:
        await store.write(Txn((Put(Key("r", "", name), b"x"),)))
        return [item.key.name for item in (await store.list(Scope())).items]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one object."""
    path = tmp_path / "isthmus.db"
    asyncio.run(_write(path, "a"))
    return path


def test_there_and_back(database: Path) -> None:
    """A backup lies beside the database unless told otherwise, and a restored one holds what it held then."""
    made = CliRunner().invoke(main, ["backup", str(database)])
    [backup] = (database.parent / "backups").iterdir()
    asyncio.run(_write(database, "b"))
    restored = CliRunner().invoke(main, ["restore", str(database), "--from", str(backup)])
    holds, aside = restored.stdout.splitlines()

    assert (0, f"{backup}: 1 objects at revision 2, read back and whole\n") == (made.exit_code, made.stdout)
    assert (0, f"{database}: holds the 1 objects of {backup}") == (restored.exit_code, holds)
    assert aside.endswith(": what was there before; remove it when it is not needed any more")
    assert ["a", "c"] == asyncio.run(_write(database, "c"))


def test_backups_are_kept_in_number(database: Path, tmp_path: Path) -> None:
    """--folder and --keep say where and how many."""
    for _ in range(3):
        CliRunner().invoke(main, ["backup", str(database), "--folder", str(tmp_path / "b"), "--keep", "2"])

    assert len(list((tmp_path / "b").iterdir())) == 2


def test_what_cannot_be_done_is_one_sentence(database: Path, tmp_path: Path) -> None:
    """A database or a backup that is not there: exit code 1 and the path."""
    backup = CliRunner().invoke(main, ["backup", str(tmp_path / "none.db")])
    restore = CliRunner().invoke(main, ["restore", str(database), "--from", str(tmp_path / "none.db")])

    assert (1, f"{tmp_path}/none.db: is not there; give the path of the store's database\n") == (
        backup.exit_code,
        backup.stderr,
    )
    assert restore.exit_code == 1
    assert restore.stderr.startswith(f"{tmp_path}/none.db: ")
