from __future__ import annotations

from collections.abc import Callable

import pytest
from clients import client_certificate


@pytest.fixture(scope="session")
def make_certificate() -> Callable[..., str]:
    """Makes the PEM of a client certificate, valid in the year 2030."""
    return client_certificate
