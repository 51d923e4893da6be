"""What the SQLite store costs: writes, a start and a list with 20,000 objects, a hundred watchers.

In: nothing; a folder as the only argument puts the database on another disk. Out: figures on stdout, and the time of an
fsync beside them, for a write cannot be faster. Law: every write is acknowledged as any client's is.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from pathlib import Path

from controlplane.store.interface import Key, Put, Scope, Store, Txn
from controlplane.store.sqlite import SqliteStore, opened

VALUE = b"x" * 2000
OBJECTS = 20_000
BATCH = 100
WATCHERS = 100
CHANGES = 1_000


def txn(prefix: str, first: int, number: int = 1) -> Txn:
    """Objects of the size of an APIService with a caBundle."""
    return Txn(tuple(Put(Key("things", "", f"{prefix}{first + offset}"), VALUE) for offset in range(number)))


@contextmanager
def timed(what: str, number: int) -> Iterator[None]:
    """Prints how long it took, and how many a second that is."""
    begin = time.perf_counter()
    yield
    seconds = time.perf_counter() - begin
    print(f"{what}: {seconds * 1000:.0f} ms, {number / seconds:,.0f} a second")


def fsync(folder: Path) -> float:
    """Seconds of an fdatasync after a page was appended, the median of 200."""
    descriptor = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)
    times: list[float] = []
    for _ in range(200):
        os.write(descriptor, b"x" * 4096)
        begin = time.perf_counter()
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - begin)
    os.close(descriptor)
    return statistics.median(times)


async def write(store: Store) -> None:
    """Writes all objects: one at a time, many at once, and in batches."""
    times: list[float] = []
    for number in range(1000):
        begin = time.perf_counter()
        await store.write(txn("single", number))
        times.append(time.perf_counter() - begin)
    single = statistics.median(times)
    print(f"a single write: {single * 1e6:.0f} us (p99 {sorted(times)[989] * 1e6:.0f}), {1 / single:,.0f} a second")
    with timed("5,000 writers at once", 5000):
        await asyncio.gather(*(store.write(txn("many", number)) for number in range(5000)))
    with timed(f"14,000 objects in batches of {BATCH}", 14_000):
        for number in range(0, 14_000, BATCH):
            await store.write(txn("batch", number, BATCH))


async def read(store: Store) -> None:
    """Lists all in pages and replays the history."""
    with timed("listed in pages of 500", OBJECTS):
        page = await store.list(Scope())
        number = len(page.items)
        while page.more:
            page = await store.list(Scope(), revision=page.revision, after=page.items[-1].key)
            number += len(page.items)
    assert number == OBJECTS
    with timed("replayed", OBJECTS):
        await follow(store, 1, OBJECTS)


async def follow(store: Store, after: int, events: int) -> None:
    """Watches until so many events were seen."""
    async with aclosing(store.watch(Scope("things"), after=after)) as watch:
        async for batch in watch:
            events -= len(batch.events)
            if not events:
                return


async def main(folder: Path) -> None:
    """Runs everything in a folder."""

    def opening() -> AbstractAsyncContextManager[SqliteStore]:
        return opened(folder / "isthmus.db", print, backups=folder)

    print(f"an fdatasync: {fsync(folder) * 1e6:.0f} us")
    async with opening() as store:
        await write(store)
    begin = time.perf_counter()
    async with opening() as store:
        print(f"start with {OBJECTS:,} objects: {(time.perf_counter() - begin) * 1000:.0f} ms")
        await read(store)
        after = await store.revision()
        with timed(f"{CHANGES:,} changes to {WATCHERS} watchers", CHANGES * WATCHERS):
            watchers = [asyncio.create_task(follow(store, after, CHANGES)) for _ in range(WATCHERS)]
            for number in range(CHANGES):
                await store.write(txn("watched", number))
            await asyncio.gather(*watchers)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        asyncio.run(main(Path(made)))
