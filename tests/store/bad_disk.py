"""A program that uses a store on a disk that takes no more, or nothing at all.

In: "full" or "read-only", and a database that holds the object "there". Out: a line for every step. Law: it changes
only limits and rights of its own process.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from controlplane.model.problem import Problem
from controlplane.store.interface import Key, Put, Scope, Store, Txn, UnavailableError
from controlplane.store.sqlite import opened

NOBODY = 65_534
ROOM = 64 * 1024


async def write(store: Store, name: str) -> bool:
    """Whether an object was written."""
    try:
        await store.write(Txn((Put(Key("r", "", name), b"x" * 8192),)))
    except UnavailableError as error:
        print("refused:", error.reason.partition(": ")[2])
        return False
    return True


async def names(store: Store) -> str:
    """The names of the first objects."""
    return " ".join(item.key.name for item in (await store.list(Scope(), limit=3)).items)


def permit(database: Path) -> None:
    """Lets this user write."""
    database.chmod(0o600)
    database.parent.chmod(0o700)


def report(problems: tuple[Problem, ...]) -> None:
    """Prints problems."""
    print("problem:", *(problem.message for problem in problems))


async def full(database: Path) -> None:
    """No file may grow beyond a size; then it may again."""
    async with opened(database, report, backups=database.parent) as store:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
        written = 0
        while await write(store, f"x{written}"):
            written += 1
        print("read:", await names(store))
        print("all of what was written is there:", written + 1 == len((await store.list(Scope())).items))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print("written again:", await write(store, "again"))


async def read_only(database: Path) -> None:
    """This user may read file and folder, not write them; then he may."""
    async with opened(database, report, backups=database.parent) as store:
        await write(store, "x")
        print("read:", await names(store))
        permit(database)
        print("written again:", await write(store, "again"))
        print("read:", await names(store))


def main() -> None:
    """Runs what is asked for."""
    database = Path(sys.argv[2])
    if sys.argv[1] == "full":
        asyncio.run(full(database))
        return
    database.chmod(0o400)
    database.parent.chmod(0o500)
    if os.getuid() == 0:
        # Root may write whatever the modes say.
        os.chown(database, NOBODY, NOBODY)
        os.chown(database.parent, NOBODY, NOBODY)
        os.setuid(NOBODY)
    asyncio.run(read_only(database))


if __name__ == "__main__":
    main()
