"""What every section of the settings shares.

In: a mapping from YAML. Out: a frozen value. Law: a key that means nothing is refused, and a relative path is relative
to the file it was written in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """What every section shares: frozen, no unknown keys, camelCase in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


SectionT = TypeVar("SectionT", bound=Section)


def anchored(section: SectionT, folder: Path) -> SectionT:
    """The same section with every relative path in it taken from `folder`."""
    changes: dict[str, object] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changes[name] = folder / value
        elif isinstance(value, Section):
            changes[name] = anchored(value, folder)
        elif isinstance(value, tuple) and any(isinstance(each, Path) for each in value):
            changes[name] = tuple(folder / each for each in value)
    return section.model_copy(update=changes)
