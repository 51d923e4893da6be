"""A thousand APIServices: what one change puts on the wire, counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from backend import Backend
from stack import Stack, registration, until

NUMBER = 1000
COUNTERS = "^cluster_manager.cluster_(added|modified|removed)$|scoped_rds.front-door.(config_reload|update_rejected)$"


def path_of(number: int) -> str:
    """A path below one of the APIs."""
    return f"/apis/g{number}.example.com/v1/things"


def an_api(stack: Stack, port: int, number: int, version: str = "v1") -> dict[str, object]:
    """The APIService of one of the groups, all on one Service."""
    return registration(f"g{number}.example.com", version, port, stack.servers.certificate)[0]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Stack, Backend]]:
    """A front door with a thousand APIServices that were there when it started."""
    stack = Stack()
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as backend:
        _, service, endpoints = registration("x", "v1", backend.port, stack.servers.certificate)
        stack.drop("backend.yaml", service, endpoints)
        for number in range(NUMBER):
            stack.drop(f"{number}.yaml", an_api(stack, backend.port, number))
        with stack:
            client = stack.http("admin", "system:masters")
            for number in (0, NUMBER // 2, NUMBER - 1):
                until(lambda number=number: stack.status(path_of(number), client) == 200, f"API {number} is served")
            yield stack, backend


def test_one_more_apiservice_is_one_scope_and_no_cluster(served: tuple[Stack, Backend]) -> None:
    """Adding one on a known backend reloads scopes once and touches no cluster; removing it does the same."""
    stack, backend = served
    client = stack.http("admin", "system:masters")
    before = stack.stats(COUNTERS)

    stack.drop("more.yaml", an_api(stack, backend.port, NUMBER))
    until(lambda: stack.status(path_of(NUMBER), client) == 200, "one more API is served")
    added = stack.stats(COUNTERS)
    stack.remove("more.yaml")
    until(lambda: stack.status(path_of(NUMBER), client) == 404, "it is gone")
    removed = stack.stats(COUNTERS)

    published = [line for line in (stack.root / "control-plane.log").read_text().splitlines() if "published" in line]
    assert "resources_changed=1 resources_removed=0" in published[-2]
    assert "resources_changed=0 resources_removed=1" in published[-1]
    for name, value in before.items():
        step = 1 if name.endswith("config_reload") else 0
        assert (value + step, value + 2 * step) == (added[name], removed[name]), name


def test_a_changed_priority_sends_nothing_to_envoy(served: tuple[Stack, Backend]) -> None:
    """Priorities matter to discovery alone: the scope's bytes are the same, so nothing is on the wire."""
    stack, backend = served
    changed = an_api(stack, backend.port, 7)
    spec = changed["spec"]
    assert isinstance(spec, dict)
    spec["groupPriorityMinimum"] = 19000
    before = stack.stats(COUNTERS)
    client = stack.http("admin", "system:masters")

    stack.drop("7.yaml", changed)

    def first_group() -> str:
        name: str = client.request("GET", f"{stack.url}/apis").json()["groups"][0]["name"]
        return name

    until(lambda: first_group() == "g7.example.com", "discovery lists the group first")
    assert before == stack.stats(COUNTERS)


def test_a_thousand_apiservices_fit_in_little_memory(served: tuple[Stack, Backend]) -> None:
    """The control plane stays far below the memory of a kube-apiserver (260 MB), Envoy below that with room."""
    stack, _ = served
    assert stack.control_plane is not None
    assert stack.envoy is not None
    print(f"RSS MiB: python {stack.control_plane.resident_mib():.0f}, envoy {stack.envoy.resident_mib():.0f}")

    assert stack.control_plane.resident_mib() < 250
    assert stack.envoy.resident_mib() < 250
