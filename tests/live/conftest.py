"""Everything in this folder needs the real Envoy, kubectl or upstream servers."""

import pathlib
from collections.abc import Iterator

import pytest
from kube import KubeApiServer, SampleApiServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, so that `-m "not live"` leaves them out."""
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def kube() -> Iterator[KubeApiServer]:
    """A kube-apiserver for all tests; each leaves it as it was."""
    with KubeApiServer() as running:
        yield running


@pytest.fixture(scope="session")
def sample(kube: KubeApiServer) -> Iterator[SampleApiServer]:
    """A sample-apiserver for all tests, which each stack registers for itself; each leaves it as it was."""
    with SampleApiServer(kube) as running:
        yield running
