"""The files that say who is believed and who authorizes, as they were read.

Law: they may hold tokens and keys, so no repr, log line, error or dump shows what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import ENOENT
from pathlib import Path
from types import MappingProxyType

from controlplane.model.credentials import Secret


@dataclass(frozen=True, slots=True)
class AuthFiles:
    """The contents of all of them, read at one time, by absolute path."""

    contents: Mapping[Path, Secret] = field(default_factory=lambda: MappingProxyType({}))

    def bytes_of(self, path: Path) -> bytes:
        """What is in the file.

        Raises:
            FileNotFoundError: when it is none of them.
        """
        held = self.contents.get(path.absolute())
        if held is None:
            raise FileNotFoundError(ENOENT, "was not read", str(path))
        return held.reveal()


NO_FILES = AuthFiles()
