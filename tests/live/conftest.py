"""Everything in this folder needs the real Envoy, kubectl or upstream servers."""

import pathlib
from collections.abc import Iterator

import pytest
from containers import daemon
from containers.daemon import Docker, succeeded
from kube import KubeApiServer, SampleApiServer
from process import ROOT


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


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A Docker daemon, without a registry and a network, that has built the image of the working tree."""
    with daemon.running() as running:
        succeeded(["docker-compose", "build", "isthmus"], running.environment, ROOT)
        yield running
