"""The stores that the one suite runs over.

In: nothing. Out: a way to open an empty store again and again, and one that is open. Law: a test that takes these knows
nothing of what is behind the interface.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from controlplane.store import sqlite
from controlplane.store.interface import Store

Opening = Callable[[], AbstractAsyncContextManager[Store]]


def _sqlite(folder: Path) -> Opening:
    return partial(sqlite.opened, folder / "isthmus.db", lambda _: None, backups=folder / "backups", mark_seconds=0.02)


@pytest.fixture(params=[_sqlite], ids=["sqlite"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Opening]:
    """Each call is another empty store, as something that opens it."""
    numbers = count()

    def make() -> Opening:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        opening: Opening = request.param(folder)
        return opening

    return make


@pytest.fixture
def opening(fresh: Callable[[], Opening]) -> Opening:
    """What opens one store."""
    return fresh()


@pytest.fixture
async def store(opening: Opening) -> AsyncIterator[Store]:
    """An empty store, open."""
    async with opening() as made:
        yield made
