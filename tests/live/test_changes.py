"""What clients see while registrations change and while parts of Isthmus are gone."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from typing import Self

import pytest
import urllib3
from backend import Backend
from stack import Stack, registration, until

FIRST = "/apis/first.example.com/v1/things"
SECOND = "/apis/second.example.com/v1/things"


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A front door."""
    with Stack() as running:
        yield running


@pytest.fixture
def first(stack: Stack) -> Iterator[Backend]:
    """A backend that serves first.example.com/v1."""
    with Backend(*stack.backend_files("first"), stack.root / "proxies-ca.crt", name="first") as backend:
        ca = stack.servers.certificate
        stack.drop("first.yaml", *registration("first.example.com", "v1", backend.port, ca, service="first"))
        until(lambda: stack.status(FIRST, admin(stack)) == 200, "the first API is served")
        yield backend


def admin(stack: Stack) -> urllib3.PoolManager:
    """A client that may do everything."""
    return stack.http("admin", "system:masters")


class Load:
    """Requests without a pause, in a thread, until the end of the `with`; keeps every status that was not 200."""

    def __init__(self, stack: Stack, path: str) -> None:
        self.total = 0
        self.failures: list[int | str] = []
        self._url = stack.url + path
        self._client = admin(stack)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.total > 0, "the load runs")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def more(self, requests: int) -> None:
        """Waits until that many more requests were answered."""
        goal = self.total + requests
        until(lambda: self.total >= goal, f"{requests} more requests")

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                response = self._client.request("GET", self._url)
                status: int | str = (
                    response.status if response.status == 200 else f"{response.status} {response.data!r}"
                )
            except urllib3.exceptions.HTTPError as error:
                status = repr(error)
            self.total += 1
            if status != 200:
                self.failures.append(status)


def test_an_api_comes_and_goes_while_others_are_undisturbed(stack: Stack, first: Backend) -> None:
    """A second API serves without a restart and is 404 when removed; a watch and requests on the first never notice."""
    client = admin(stack)
    watch = client.request("GET", f"{stack.url}{FIRST}?watch=1", preload_content=False)
    ca = stack.servers.certificate
    with Load(stack, FIRST) as load, Backend(*stack.backend_files("second"), stack.root / "proxies-ca.crt") as second:
        objects = registration("second.example.com", "v1", second.port, ca, service="second")
        for _ in range(3):
            assert stack.status(SECOND, client) == 404
            stack.drop("second.yaml", *objects)
            until(lambda: stack.status(SECOND, client) == 200, "the second API is served")
            load.more(20)
            stack.remove("second.yaml")
            until(lambda: stack.status(SECOND, client) == 404, "the second API is gone")
            load.more(20)
        first.emit("still here")
        assert watch.readline() == b"still here\n"
    watch.close()
    assert load.failures == []


def test_a_new_api_never_answers_503_on_its_way(stack: Stack, first: Backend) -> None:
    """Between 404 and 200 there is nothing: the route waits for its cluster and its endpoints."""
    client = admin(stack)
    ca = stack.servers.certificate
    with Backend(*stack.backend_files("second"), stack.root / "proxies-ca.crt") as second:
        stack.drop("second.yaml", *registration("second.example.com", "v1", second.port, ca, service="second"))
        seen: set[int] = set()

        def served() -> bool:
            status = stack.status(SECOND, client)
            seen.add(status)
            return status == 200

        until(served, "the second API is served")
    assert seen <= {404, 200}


def test_moving_an_api_to_another_backend_loses_no_request(stack: Stack, first: Backend) -> None:
    """Repointed to another Service, and back, every request is answered by one backend or the other."""
    ca = stack.servers.certificate
    with Backend(*stack.backend_files("other"), stack.root / "proxies-ca.crt", name="other") as other:
        to_other = registration("first.example.com", "v1", other.port, ca, service="other")
        to_first = registration("first.example.com", "v1", first.port, ca, service="first")
        client = admin(stack)

        def answered_by() -> str:
            body = json.loads(client.request("GET", stack.url + FIRST).data)
            assert "backend" in body, str(body)
            name: str = body["backend"]
            return name

        with Load(stack, FIRST) as load:
            for objects, name in ((to_other, "other"), (to_first, "first")) * 2:
                stack.drop("first.yaml", *objects)
                until(lambda name=name: answered_by() == name, f"{name} answers")
                load.more(20)
    assert load.failures == []


def test_endpoints_change_without_touching_clusters_or_routes(stack: Stack, first: Backend) -> None:
    """A new endpoint is one load assignment on the wire; no cluster is sent again, no route reloaded."""
    clusters = "cluster_manager.cluster_(added|modified|removed)$"
    before = stack.stats(clusters)
    ca = stack.servers.certificate
    with Backend(*stack.backend_files("first"), stack.root / "proxies-ca.crt", name="moved") as moved:
        stack.drop("first.yaml", *registration("first.example.com", "v1", moved.port, ca, service="first"))
        client = admin(stack)
        until(lambda: b"moved" in client.request("GET", stack.url + FIRST).data, "the new endpoint answers")

    assert before == stack.stats(clusters)


def test_without_the_control_plane_requests_are_503_and_watches_go_on(stack: Stack, first: Backend) -> None:
    """Kill -9: what needs a decision gets a clean 503 Status, open watches flow; afterwards all is as before."""
    client = admin(stack)
    watch = client.request("GET", f"{stack.url}{FIRST}?watch=1", preload_content=False)
    until(lambda: first.watchers == 1, "the watch is open")
    assert stack.control_plane is not None

    stack.control_plane.stop(signal.SIGKILL)

    response = stack.http("stranger", "system:masters").request("GET", stack.url + FIRST)
    body = json.loads(response.data)
    assert response.status == 503
    assert (body["kind"], body["code"], body["reason"]) == ("Status", 503, "ServiceUnavailable")
    assert "Retry-After" in response.headers
    first.emit("still here")
    assert watch.readline() == b"still here\n"

    stack.start_control_plane()
    until(lambda: stack.status(FIRST, stack.http("stranger")) == 200, "requests are decided again")
    until(lambda: stack.metric("isthmus_xds_streams") == {"delta": 1.0}, "xDS is back")
    ca = stack.servers.certificate
    with Backend(*stack.backend_files("second"), stack.root / "proxies-ca.crt") as second:
        stack.drop("second.yaml", *registration("second.example.com", "v1", second.port, ca, service="second"))
        until(lambda: stack.status(SECOND, client) == 200, "changes reach Envoy again")
    # What the second API takes, that verdicts of the former life are void, and nothing that Envoy had before.
    sent = {"Cluster": 1.0, "ClusterLoadAssignment": 1.0, "ScopedRouteConfiguration": 1.0, "TypedExtensionConfig": 1.0}
    assert sent == {kind: number for kind, number in stack.metric("isthmus_xds_resources_total").items() if number}
    watch.close()


def test_certificates_rotate_without_a_failed_request(stack: Stack, first: Backend) -> None:
    """A new serving certificate is shown to new connections; running ones go on."""
    serving = stack.servers.issue("rotated", dns_names=["localhost"], ip_addresses=["127.0.0.1"], client=False)
    with Load(stack, FIRST) as load:
        (stack.root / "serving.key").write_bytes(serving[1])
        (stack.root / "serving.crt").write_bytes(serving[0])

        def rotated() -> bool:
            with admin(stack).connection_from_url(stack.url) as pool:
                connection = pool._get_conn()
                connection.connect()
                subject = connection.sock.getpeercert()["subject"]
                connection.close()
            return (("commonName", "rotated"),) in subject

        until(rotated, "new connections see the new certificate")
        load.more(20)
    assert load.failures == []
