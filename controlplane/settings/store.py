"""Where what clients write is kept.

In: the section `store`. Out: a frozen value. Law: the history is bounded in time and in number.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator

from controlplane.settings.duration import Duration
from controlplane.settings.section import Section

_SHORTEST: Final = timedelta(seconds=10)


class Sqlite(Section):
    """One file on this machine, for one control plane."""

    path: Path
    """The database; it is made, with its folder, when it is not there."""
    backup_folder: Path | None = None
    """Where `isthmus backup` puts backups and where a damaged database's last one is looked for; not set: the folder
    `backups` beside the database."""

    @property
    def backups(self) -> Path:
        """The folder of the backups."""
        return self.backup_folder or self.path.parent / "backups"


class History(Section):
    """How far back changes are kept for clients that resume a watch; one that comes later lists anew."""

    age: Duration = timedelta(minutes=5)
    """How old a change may be, at least 10s."""
    revisions: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    """How many changes are kept."""

    @field_validator("age")
    @classmethod
    def _long_enough(cls, value: timedelta) -> timedelta:
        if value < _SHORTEST:
            raise ValueError("is shorter than 10s; clients that lose their connection need longer than that to resume")
        return value


class Storage(Section):
    """The store of what clients write."""

    sqlite: Sqlite
    history: History = History()
