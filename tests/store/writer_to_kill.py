"""A program that writes to a store until it is killed, again and again.

In: a database, and a line for each round. Out: for each round a line "pid", then a line for every acknowledged batch:
writer, number, revision; and "end" when the round's process is gone. Law: a line is written after the acknowledgement.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from controlplane.store.interface import Key, Put, Store, Txn, Written
from controlplane.store.sqlite import opened

WRITERS = 4
KEYS = 5


async def write(store: Store, writer: int) -> None:
    """Batches without end: each gives all keys of this writer one value."""
    number = 0
    while True:
        number += 1
        value = b"%d" % number * 100
        result = await store.write(Txn(tuple(Put(Key("r", str(writer), str(key)), value) for key in range(KEYS))))
        assert isinstance(result, Written)
        os.write(1, b"%d %d %d\n" % (writer, number, result.revision))


async def until_killed(database: Path) -> None:
    """One round."""
    async with opened(database, lambda _: None, backups=database.parent) as store, asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(write(store, writer))


def main() -> None:
    """Forks, for what is loaded once is ready at once."""
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            asyncio.run(until_killed(Path(sys.argv[1])))
        os.write(1, b"pid %d\n" % pid)
        os.waitpid(pid, 0)
        os.write(1, b"end\n")


if __name__ == "__main__":
    main()
