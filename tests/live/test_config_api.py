"""The config API with the real Envoy behind it: what is acknowledged is served, and stays."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from backend import Backend
from config_client import Client, Message
from stack import Stack, registration, until

APISERVICE = ("apiregistration.k8s.io/v1", "APIService")
WAIT = {"wait": {"seconds": 30}}
ACKNOWLEDGED = 1
NUMBER = 1000
BATCH = 100


@pytest.fixture
def socket() -> Iterator[Path]:
    """Where the config API listens."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-config-"))
    yield folder / "config.sock"
    shutil.rmtree(folder)


@pytest.fixture
def stack(socket: Path) -> Iterator[Stack]:
    """A front door without manifests."""
    settings = {"store": {"sqlite": {"path": "isthmus.db"}}, "config": {"listen": f"unix:{socket}"}}
    with Stack(settings=settings) as running:
        yield running


@pytest.fixture
def backend(stack: Stack) -> Iterator[Backend]:
    """An API server."""
    with Backend(*stack.backend_files("backend"), stack.root / "proxies-ca.crt") as running:
        yield running


@pytest.fixture
def client(stack: Stack, socket: Path) -> Iterator[Client]:
    """A client that knows the API by reflection alone."""
    with Client(f"unix:{socket}") as opened:
        yield opened


def path_of(number: int) -> str:
    """A path below one of the APIs."""
    return f"/apis/g{number}.example.com/v1/things"


def objects(stack: Stack, backend: Backend, number: int) -> list[dict[str, object]]:
    """APIService, Service and EndpointSlice of an API; all have the same of the last two."""
    return registration(f"g{number}.example.com", "v1", backend.port, stack.servers.certificate)


def test_what_was_waited_for_is_served_at_once(stack: Stack, backend: Backend, client: Client) -> None:
    """The first request after the answer succeeds, the first after a deletion does not; twenty times in a row."""
    http = stack.http("admin", "system:masters")
    for number in range(20):
        applied = client.batch(*objects(stack, backend, number), **WAIT)
        assert (ACKNOWLEDGED, 1) == (applied.rollout.state, applied.rollout.acknowledged)
        assert 200 == stack.status(path_of(number), http)

        deleted = client.delete(*APISERVICE, f"v1.g{number}.example.com", **WAIT)
        assert ACKNOWLEDGED == deleted.rollout.state
        assert 404 == stack.status(path_of(number), http)


def test_an_answer_shows_how_an_api_stands(stack: Stack, backend: Backend, client: Client) -> None:
    """After the wait Envoy has it and it can be reached; without endpoints it cannot, and nothing was written to it."""

    def standing(obj: Message) -> dict[str, str]:
        return {one["type"]: one["status"] for one in json.loads(obj.json)["status"]["conditions"]}

    registered, service, endpoints = objects(stack, backend, 1)
    made = client.batch(service, endpoints, registered, **WAIT).written[2].object
    client.delete("discovery.k8s.io/v1", "EndpointSlice", endpoints["metadata"]["name"], **WAIT)
    (left,) = client.list(*APISERVICE)

    assert {"Available": "True", "Programmed": "True"} == standing(made)
    assert {"Available": "False", "Programmed": "True"} == standing(left)
    assert made.resource_version == left.resource_version


def test_a_new_backend_that_was_waited_for_is_served_at_once(stack: Stack, backend: Backend, client: Client) -> None:
    """The wait is for cluster, endpoints and route together, and all are gone together."""
    http = stack.http("admin", "system:masters")
    for number in range(20):
        ca, name = stack.servers.certificate, f"backend{number}"
        api, *others = registration(f"g{number}.example.com", "v1", backend.port, ca, service=name)
        spec = {**api["spec"], "insecureSkipTLSVerify": True}
        del spec["caBundle"]
        applied = client.batch({**api, "spec": spec}, *others, **WAIT)
        assert (ACKNOWLEDGED, 200) == (applied.rollout.state, stack.status(path_of(number), http))

        client.delete("v1", "Service", name)
        client.delete("discovery.k8s.io/v1", "EndpointSlice", name)
        deleted = client.delete(*APISERVICE, f"v1.g{number}.example.com", **WAIT)
        assert (ACKNOWLEDGED, 404) == (deleted.rollout.state, stack.status(path_of(number), http))


def test_a_thousand_in_batches_are_served_and_outlive_the_process(
    stack: Stack, backend: Backend, client: Client, socket: Path
) -> None:
    """Each is served and discovered; after kill -9 and a new start every one is there, and Envoy never lost it."""
    http = stack.http("admin", "system:masters")
    _, service, endpoints = objects(stack, backend, 0)
    client.batch(service, endpoints)
    answers = [
        client.batch(*(objects(stack, backend, number)[0] for number in range(first, first + BATCH)), **WAIT)
        for first in range(0, NUMBER, BATCH)
    ]
    names = {f"g{number}.example.com" for number in range(NUMBER)}

    assert [ACKNOWLEDGED] * (NUMBER // BATCH) == [answer.rollout.state for answer in answers]
    assert {200} == {stack.status(path_of(number), http) for number in range(NUMBER)}
    until(lambda: names <= _groups(stack), "discovery lists them all")

    assert stack.control_plane is not None
    stack.control_plane.stop(signal.SIGKILL)
    assert {200} == {stack.status(path_of(number), http) for number in range(0, NUMBER, 50)}
    stack.start_control_plane()
    with Client(f"unix:{socket}") as again:
        listed = again.list(*APISERVICE)
        one_more = objects(stack, backend, NUMBER)
        until(lambda: again.batch(*one_more, **WAIT).rollout.state == ACKNOWLEDGED, "Envoy is back, and has one more")

    assert {f"v1.{name}" for name in names} == {one.reference.name for one in listed}
    assert {200} == {stack.status(path_of(number), http) for number in range(NUMBER + 1)}


def test_rights_written_over_the_api_count_for_http(stack: Stack, backend: Backend, client: Client) -> None:
    """A binding that is applied lets its user in through Envoy, and without it the user is out again."""
    client.batch(*objects(stack, backend, 1), **WAIT)
    rules = [{"verbs": ["*"], "apiGroups": ["g1.example.com"], "resources": ["*"]}]
    rbac = "rbac.authorization.k8s.io"
    subject = {"apiGroup": rbac, "kind": "User", "name": "eve"}
    reference = {"apiGroup": rbac, "kind": "ClusterRole", "name": "eve"}
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "eve"}, "rules": rules}
    binding = role | {"kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]}
    del binding["rules"]
    http = stack.http("eve", "nobody")

    assert 403 == stack.status(path_of(1), http)
    client.batch(role, binding, **WAIT)
    until(lambda: stack.status(path_of(1), http) == 200, "the right is there")
    client.delete(f"{rbac}/v1", "ClusterRoleBinding", "eve", **WAIT)
    until(lambda: stack.status(path_of(1), http) == 403, "the right is gone")


def _groups(stack: Stack) -> set[str]:
    body = json.loads(stack.http("admin", "system:masters").request("GET", f"{stack.url}/apis").data)
    return {group["name"] for group in body["groups"]}
