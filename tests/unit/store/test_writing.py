from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest

from controlplane.store import writing
from controlplane.store.interface import Key, Put, Txn, UnavailableError, Written
from controlplane.store.opening import Database
from controlplane.store.transactions import commit
from controlplane.store.writing import Report, Write, Writer


@pytest.fixture
def reports() -> SimpleQueue[Report]:
    """What a writer tells."""
    return SimpleQueue()


def _write(name: str) -> Write:
    return Write(Txn((Put(Key("r", "", name), b"x"),)), name)


def _writer(database: Database, reports: SimpleQueue[Report]) -> Writer:
    return Writer(database, database.open_for_writing(), reports.put, lambda: None)


def _close(writer: Writer, database: Database) -> None:
    writer.finish()
    writer.close()
    database.close()


def test_what_waits_goes_together(
    tmp_path: Path, reports: SimpleQueue[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one write is at the disk others come; they are one group, in the order they came."""
    reached, free = Event(), Event()

    def slow(*arguments: object) -> object:
        reached.set()
        free.wait(10)
        return commit(*arguments)

    monkeypatch.setattr(writing, "commit", slow)
    database = Database(tmp_path / "a.db", tmp_path)
    writer = _writer(database, reports)
    writer.submit(_write("first"))
    reached.wait(10)
    for name in "abc":
        writer.submit(_write(name))
    free.set()
    _close(writer, database)

    assert (("first", Written(2)),) == reports.get().outcomes
    assert (("a", Written(3)), ("b", Written(4)), ("c", Written(5))) == reports.get().outcomes


def test_a_defect_of_ours_ends_no_thread(
    tmp_path: Path, reports: SimpleQueue[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked hears of it, and the next write is done."""

    def broken(*_: object) -> object:
        raise KeyError("x")

    database = Database(tmp_path / "a.db", tmp_path)
    writer = _writer(database, reports)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "commit", broken)
        writer.submit(_write("a"))
        [(ticket, outcome)] = reports.get(timeout=10).outcomes
    writer.submit(_write("b"))
    _close(writer, database)

    assert ticket == "a"
    assert isinstance(outcome, UnavailableError)
    assert "internal error: KeyError" in outcome.reason
    assert (("b", Written(2)),) == reports.get().outcomes
