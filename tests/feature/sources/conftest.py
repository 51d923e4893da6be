"""Fixtures of the sources' tests.

In: nothing. Out: an empty folder. Law: it is nobody else's.
"""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of manifests."""
    made = tmp_path / "manifests"
    made.mkdir()
    return made
