"""What a constant load notices when a container of the stack is restarted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from catalog import GROUP
from containers.compose import Compose, project
from containers.daemon import Docker
from containers.load import Failure, Load

pytestmark = pytest.mark.compose

PATHS = (
    f"/apis/{GROUP}/v1beta1/clusterservicebrokers",
    f"/apis/{GROUP}/v1beta1/namespaces/default/serviceinstances",
)
# Five seconds' worth.
ENOUGH = 1000
# Of a container: its end, its start, and its health check; a busy machine takes several times what it should.
RESTART_SECONDS = 60.0


@pytest.fixture(scope="module")
def stack(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """A running stack."""
    with project(docker, tmp_path_factory.mktemp("restarts", numbered=False)) as compose:
        compose.up()
        yield compose


@dataclass(frozen=True)
class Restart:
    """When it began and when everything was healthy again, and which requests failed."""

    began: float
    over: float
    failures: list[Failure]


def restart(stack: Compose, service: str, capsys: pytest.CaptureFixture[str]) -> Restart:
    """Restarts a container under load, and says what became of the requests."""
    with Load(stack.kubeconfig, PATHS) as load:
        load.more(ENOUGH)
        began = time.monotonic()
        stack.run("restart", service)
        stack.healthy()
        over = time.monotonic()
        load.more(ENOUGH)
    with capsys.disabled():
        print(f"\n{service} restarted in {over - began:.1f} s: {load.said()}")
    return Restart(began, over, load.failures)


def test_a_restart_of_the_control_plane_costs_no_request(stack: Compose, capsys: pytest.CaptureFixture[str]) -> None:
    """Envoy goes on with what it has: routes, endpoints and the verdicts it knows."""
    done = restart(stack, "isthmus", capsys)

    assert done.failures == []


def test_a_restart_of_envoy_costs_requests_only_while_it_lasts(
    stack: Compose, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is one of it: while it is away nobody answers, and until it knows its routes it says so."""
    done = restart(stack, "envoy", capsys)

    assert {failure.status for failure in done.failures} <= {0, 503}
    assert_bounded(done)


def test_a_restart_of_the_server_costs_requests_only_while_it_lasts(
    stack: Compose, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clients get a Status that says when to ask again, over connections that they keep."""
    done = restart(stack, "servicecatalog", capsys)

    for failure in done.failures:
        assert (failure.status, failure.retry_after) == (503, "1")
        assert json.loads(failure.body)["reason"] == "ServiceUnavailable"
    assert_bounded(done)


def assert_bounded(done: Restart) -> None:
    """What failed was sent after the restart began and before everything was healthy again."""
    assert done.over - done.began < RESTART_SECONDS
    assert [failure for failure in done.failures if not done.began <= failure.sent <= done.over] == []
