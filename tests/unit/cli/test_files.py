"""Atomic writing."""

import stat
from pathlib import Path

import pytest

from controlplane.cli import files


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    """The new content is there with its permissions, and nothing else is left in the folder."""
    path = tmp_path / "key"
    path.write_text("a long old content")

    files.write(path, b"new", mode=0o600)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A path that cannot be replaced stays as it was, without a scratch file beside it."""
    path = tmp_path / "folder"
    path.mkdir()

    with pytest.raises(OSError, match="folder"):
        files.write(path, b"new")

    assert list(tmp_path.iterdir()) == [path]
