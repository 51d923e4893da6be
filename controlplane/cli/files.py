"""Files that are whole or not there.

In: a path and bytes. Out: the file. Law: who reads the path sees the old content or the new, never a part of one, and
a private file is never readable by others, not even while it is being written.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


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
