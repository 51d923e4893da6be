from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from controlplane.settings.section import anchored
from controlplane.settings.store import Storage


def test_a_path_is_enough() -> None:
    """Five minutes and 10,000 revisions of history; backups lie beside the database."""
    settings = anchored(Storage.model_validate({"sqlite": {"path": "state/isthmus.db"}}), Path("/etc/isthmus"))

    assert Path("/etc/isthmus/state/isthmus.db") == settings.sqlite.path
    assert Path("/etc/isthmus/state/backups") == settings.sqlite.backups
    assert (timedelta(minutes=5), 10_000) == (settings.history.age, settings.history.revisions)


def test_backups_may_be_elsewhere() -> None:
    """A folder on another disk, for one."""
    settings = Storage.model_validate({"sqlite": {"path": "a.db", "backupFolder": "/mnt/backups"}})

    assert Path("/mnt/backups") == settings.sqlite.backups


@pytest.mark.parametrize("history", [{"age": "9s"}, {"revisions": 99}, {"age": 300}, {"size": 1}])
def test_a_history_that_helps_nobody_is_refused(history: dict[str, object]) -> None:
    """Too short for a client to come back, or written wrongly."""
    with pytest.raises(ValidationError):
        Storage.model_validate({"sqlite": {"path": "a.db"}, "history": history})
