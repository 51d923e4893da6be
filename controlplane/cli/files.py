"""Files that are whole or not there.

In: a path and bytes. Out: the file. Law: who reads the path sees the old content or the new, never a part of one, and
a private file is never readable by others, not even while it is being written.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

import yaml


def write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Puts `content` at `path` with the permissions `mode`, by writing a file beside it and renaming that.

    Raises:
        OSError: when the folder cannot be written.
    """
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(scratch).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(scratch).unlink()
        raise


class _Dumper(yaml.CSafeDumper):
    """Writes what every reader of YAML 1.1 reads alike, and a value that occurs twice twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


# Envoy reads a bare y or n as a truth value and 1e3 as a number; PyYAML does neither, and would leave a node called so
# without quotes.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def as_yaml(document: object) -> str:
    """The document as YAML, its keys in their own order."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False)
    return text
