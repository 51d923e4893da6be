"""Fixtures of the tests of the command `isthmus`.

In: an empty folder. Out: a running config API. Law: it is nobody else's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from config_api import Api, serving


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A config API with nothing in it."""
    async with serving(tmp_path) as running:
        yield running
